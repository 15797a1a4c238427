import { endpoints, event } from 'groundswell'
import { z } from 'zod'
import { Email, line, UserId, UserIdText } from '../fields.ts'

const at = endpoints('user-service')

export const User = z.object({ id: UserId, email: z.string(), name: z.string() })
export type User = z.infer<typeof User>

export const createUser = at.post('/users', {
  summary: 'Sign up',
  body: z.object({ email: Email, name: line(200) }),
  replies: { 201: User },
})

export const getUser = at.get('/users/:id', {
  summary: 'Who a user is, for other services',
  params: z.object({ id: UserIdText }),
  replies: { 200: User, 404: null },
  exposed: false,
})

export const UserRegistered = event(
  'user.registered',
  1,
  z.object({ userId: UserId, email: z.string(), name: z.string() }),
  { key: (user) => user.userId },
)
