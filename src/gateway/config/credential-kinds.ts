import { tags, timestamp, uuid } from './field-types.ts'
import { ASYMMETRIC_ALGORITHMS, isJwtAlgorithm, isKeyFor, JWT_ALGORITHMS, publicKeyIn } from './jwt-algorithms.ts'
import { storedPassword } from './password.ts'
import type { EntitySchema, Field } from './schema.ts'

/** By what consumers are recognised and which groups they are in, as Kong 3.9 describes it. */

const consumer: Field = { type: 'foreign', reference: 'consumers', required: true, on_delete: 'cascade' }
const common = [{ id: uuid }, { created_at: timestamp }, { consumer }]

const jwtSecrets: EntitySchema = {
  name: 'jwt_secrets',
  primary_key: ['id'],
  endpoint_key: 'key',
  admin_api_name: 'jwts',
  admin_api_nested_name: 'jwt',
  fields: [
    ...common,
    { key: { type: 'string', unique: true, auto: true } },
    { secret: { type: 'string', auto: true, encrypted: true } },
    { rsa_public_key: { type: 'string' } },
    { algorithm: { type: 'string', default: 'HS256', one_of: Object.keys(JWT_ALGORITHMS) } },
    { tags },
  ],
  entity_checks: [
    {
      conditional: {
        if_field: 'algorithm',
        if_match: { one_of: ASYMMETRIC_ALGORITHMS },
        then_field: 'rsa_public_key',
        then_match: { required: true, custom_validator: publicKeyError },
      },
    },
    { custom_entity_check: { field_sources: ['algorithm', 'rsa_public_key'], fn: mismatchError } },
  ],
}

const basicAuthCredentials: EntitySchema = {
  name: 'basicauth_credentials',
  primary_key: ['id'],
  endpoint_key: 'username',
  admin_api_name: 'basic-auths',
  admin_api_nested_name: 'basic-auth',
  fields: [
    ...common,
    { username: { type: 'string', required: true, unique: true } },
    { password: { type: 'string', required: true, encrypted: true, stored: storedPassword } },
    { tags },
  ],
}

const acls: EntitySchema = {
  name: 'acls',
  primary_key: ['id'],
  endpoint_key: 'group',
  cache_key: ['consumer', 'group'],
  fields: [...common, { group: { type: 'string', required: true } }, { tags }],
}

export const credentialKinds: readonly EntitySchema[] = [jwtSecrets, basicAuthCredentials, acls]

function publicKeyError(pem: string): string | undefined {
  return publicKeyIn(pem) === undefined ? 'invalid key' : undefined
}

/** A key of another kind would refuse every token, at the first request instead of now. */
function mismatchError({ algorithm, rsa_public_key }: Readonly<Record<string, unknown>>) {
  if (!isJwtAlgorithm(algorithm) || !ASYMMETRIC_ALGORITHMS.includes(algorithm)) return undefined
  const key = typeof rsa_public_key === 'string' ? publicKeyIn(rsa_public_key) : undefined
  if (key === undefined || isKeyFor(algorithm, key)) return undefined
  return { rsa_public_key: `invalid key: '${algorithm}' takes another kind` }
}
