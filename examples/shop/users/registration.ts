import { bucketOf, type Cluster, emit } from 'groundswell'
import { type User, UserRegistered } from './contract.ts'
import { nextUserId } from './user-ids.ts'

/**
 * Signing up touches two shards: the e-mail address is claimed on the shard of its own bucket, then the user is
 * written on the shard of the id that the claim names. A crash in between leaves a claim without a user; whoever
 * signs up with the address next completes it under the same id. Of several at once exactly one succeeds, since the
 * user row exists once.
 */
export async function register(
  data: Cluster,
  person: { readonly email: string; readonly name: string },
  context: { readonly traceparent: string },
): Promise<User | 'taken'> {
  const id = await claimEmail(data, person.email)
  const user = { id, ...person }
  return data.forKey(id).transaction(async (tx) => {
    const inserted = await tx.query(INSERT_USER, [bucketOf(id), id, person.email, person.name])
    if (inserted.length === 0) return 'taken'
    emit(tx, UserRegistered, { userId: id, ...person }, context)
    return user
  })
}

/** Whether a user with this address exists. */
export async function isRegistered(data: Cluster, email: string): Promise<boolean> {
  const id = await claimedId(data, email)
  return id !== undefined && (await findUser(data, id)) !== undefined
}

export async function findUser(data: Cluster, id: number): Promise<User | undefined> {
  const [user] = await data.forKey(id).query<User>(FIND_USER, [bucketOf(id), id])
  return user
}

/** The user id that an e-mail address belongs to, from now on and for good. */
async function claimEmail(data: Cluster, email: string): Promise<number> {
  const known = await claimedId(data, email)
  if (known !== undefined) return known
  const id = await nextUserId(data)
  const [claimed] = await data.forKey(email).query(CLAIM_EMAIL, [bucketOf(email), email, id])
  return claimed !== undefined ? id : ((await claimedId(data, email)) ?? id)
}

async function claimedId(data: Cluster, email: string): Promise<number | undefined> {
  const [claim] = await data.forKey(email).query<{ userId: number }>(FIND_CLAIM, [bucketOf(email), email])
  return claim?.userId
}

const CLAIM_EMAIL = `
  INSERT INTO users.email_claim (bucket, email, user_id) VALUES ($1, $2, $3)
  ON CONFLICT (bucket, email) DO NOTHING RETURNING user_id`

const FIND_CLAIM = `SELECT user_id AS "userId" FROM users.email_claim WHERE bucket = $1 AND email = $2`

const INSERT_USER = `
  INSERT INTO users.users (bucket, user_id, email, name) VALUES ($1, $2, $3, $4)
  ON CONFLICT (bucket, user_id) DO NOTHING RETURNING user_id`

const FIND_USER = `SELECT user_id AS id, email, name FROM users.users WHERE bucket = $1 AND user_id = $2`
