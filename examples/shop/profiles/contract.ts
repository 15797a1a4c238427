import { endpoints } from 'groundswell'
import { z } from 'zod'
import { line, UserId, UserIdText } from '../fields.ts'

const at = endpoints('user-profile-service')

export const Profile = z.object({
  userId: UserId,
  displayName: z.string(),
  address: z.string().nullable(),
  phone: z.string().nullable(),
})
export type Profile = z.infer<typeof Profile>

/** What is left out is emptied: PUT says what the whole profile is. */
export const NewProfile = z.object({
  displayName: line(100),
  address: line(500).nullable().default(null),
  phone: line(32).nullable().default(null),
})

export const getProfile = at.get('/users/:id/profile', {
  summary: 'A profile',
  params: z.object({ id: UserIdText }),
  replies: { 200: Profile },
  access: 'key',
})

export const putProfile = at.put('/users/:id/profile', {
  summary: 'Change a profile',
  params: z.object({ id: UserIdText }),
  body: NewProfile,
  replies: { 200: Profile },
  access: 'key',
})
