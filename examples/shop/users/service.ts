import { handle, newContext, problem, reply, type SeedInput, service } from 'groundswell'
import { firstUsers } from '../first-goods.ts'
import { createUser, getUser, UserRegistered } from './contract.ts'
import { findUser, isRegistered, register } from './registration.ts'

export const users = service('user-service', {
  summary: 'Who the customers are',
  migrations: new URL('./migrations/', import.meta.url),
  emits: [UserRegistered],
  seed: registerFirstUsers,
  routes: [
    handle(createUser, async ({ body, data, context }) => {
      const user = await register(data, body, context)
      if (user !== 'taken') return reply(201, user)
      return problem(409, `there is a user with the address ${body.email}`, { code: 'EMAIL_TAKEN' })
    }),
    handle(getUser, async ({ params, data }) => {
      const user = await findUser(data, params.id)
      if (user !== undefined) return reply(200, user)
      return problem(404, `there is no user ${params.id}`, { code: 'USER_UNKNOWN' })
    }),
  ],
})

async function registerFirstUsers({ data }: SeedInput): Promise<void> {
  for (const user of firstUsers) {
    if (!(await isRegistered(data, user.email))) await register(data, user, newContext())
  }
}
