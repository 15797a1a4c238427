import { bucketOf, type Cluster, handle, onBatch, problem, type RouteCall, reply, service } from 'groundswell'
import { getUser, UserRegistered } from '../users/contract.ts'
import { getProfile, type Profile, putProfile } from './contract.ts'

/**
 * Profiles begin when a user signs up. A profile asked for before that event has arrived is made from the user
 * service's own answer, so nobody sees their account half there.
 */
export const profiles = service('user-profile-service', {
  summary: 'What customers tell about themselves',
  migrations: new URL('./migrations/', import.meta.url),
  routes: [
    handle(getProfile, async (call) => {
      const profile = (await findProfile(call.data, call.params.id)) ?? (await beginProfile(call, call.params.id))
      return profile === undefined ? unknownUser(call.params.id) : reply(200, profile)
    }),
    handle(putProfile, async (call) => {
      const { data, params, body } = call
      const known = (await findProfile(data, params.id)) ?? (await beginProfile(call, params.id))
      if (known === undefined) return unknownUser(params.id)
      const values = [bucketOf(params.id), params.id, body.displayName, body.address, body.phone]
      await data.forKey(params.id).query(CHANGE, values)
      return reply(200, { userId: params.id, ...body })
    }),
  ],
  consumers: [
    onBatch(UserRegistered, async (deliveries, { tx }) => {
      const people = deliveries.map(({ event }) => event.payload)
      await tx.query(BEGIN_MANY, [
        people.map(({ userId }) => bucketOf(userId)),
        people.map(({ userId }) => userId),
        people.map(({ name }) => name),
      ])
    }),
  ],
})

async function findProfile(data: Cluster, userId: number): Promise<Profile | undefined> {
  const [profile] = await data.forKey(userId).query<Profile>(FIND, [bucketOf(userId), userId])
  return profile
}

async function beginProfile(
  { data, services, context }: Pick<RouteCall, 'data' | 'services' | 'context'>,
  userId: number,
): Promise<Profile | undefined> {
  const user = await services(getUser, { params: { id: userId } }, context)
  if (user.status === 404) return undefined
  await data.forKey(userId).query(BEGIN_MANY, [[bucketOf(userId)], [userId], [user.body.name.slice(0, 100)]])
  return findProfile(data, userId)
}

function unknownUser(userId: number) {
  return problem(404, `there is no user ${userId}`, { code: 'USER_UNKNOWN' })
}

const FIND = `
  SELECT user_id AS "userId", display_name AS "displayName", address, phone
  FROM profiles.profile WHERE bucket = $1 AND user_id = $2`

const BEGIN_MANY = `
  INSERT INTO profiles.profile (bucket, user_id, display_name)
  SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::text[])
  ON CONFLICT (bucket, user_id) DO NOTHING`

const CHANGE = `
  UPDATE profiles.profile SET display_name = $3, address = $4, phone = $5 WHERE bucket = $1 AND user_id = $2`
