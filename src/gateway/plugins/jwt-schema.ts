import { headerName } from '../config/field-types.ts'
import { ASYMMETRIC_ALGORITHMS, type JwtAlgorithm } from '../config/jwt-algorithms.ts'
import { type Field, httpProtocols, noConsumer, type PluginSchema } from '../config/schema.ts'
import { anonymousField, flag, realmField } from './authentication.ts'

/** The configuration of `jwt`: Kong 3.9's (`kong/plugins/jwt/schema.lua`), and `jwks`, which is ours. */
export type JwtConfig = {
  readonly uri_param_names: readonly string[]
  readonly cookie_names: readonly string[]
  readonly key_claim_name: string
  readonly secret_is_base64: boolean
  readonly claims_to_verify: readonly TimeClaim[] | null
  readonly anonymous: string | null
  readonly run_on_preflight: boolean
  /** Seconds; 0 for any. */
  readonly maximum_expiration: number
  readonly header_names: readonly string[]
  readonly realm: string | null
  readonly jwks: JwksConfig | null
}

export type TimeClaim = 'exp' | 'nbf'

/** Tokens of an issuer that publishes its keys. */
export type JwksConfig = {
  readonly issuer: string | null
  readonly uri: string | null
  readonly audiences: readonly string[] | null
  readonly algorithms: readonly JwtAlgorithm[]
  readonly consumer_claim: string
  readonly consumer_by: 'custom_id' | 'username'
  readonly consumer_optional: boolean
  readonly groups_claim: string | null
}

const names = (initial: readonly string[], description: string, elements: Field = { type: 'string' }): Field => ({
  type: 'set',
  elements,
  default: initial,
  description,
})

const url: Field = {
  type: 'string',
  custom_validator: (value: string) =>
    URL.canParse(value) && /^https?:$/.test(new URL(value).protocol) ? undefined : 'must be an http or https URL',
}

const jwks: Field = {
  type: 'record',
  description: 'Accepts tokens that are signed with a published key. An extension: Kong has no such field.',
  fields: [
    { issuer: { ...url, description: 'What `iss` must be; without `uri`, where the keys are discovered.' } },
    { uri: { ...url, description: 'Where the key set is, when it is not discovered.' } },
    { audiences: { type: 'set', elements: { type: 'string' }, description: 'One of these must be in `aud`.' } },
    {
      algorithms: names(ASYMMETRIC_ALGORITHMS, 'Algorithms that are accepted.', {
        type: 'string',
        one_of: ASYMMETRIC_ALGORITHMS,
      }),
    },
    { consumer_claim: { type: 'string', required: true, default: 'sub', description: 'The claim that says who.' } },
    {
      consumer_by: {
        type: 'string',
        required: true,
        default: 'custom_id',
        one_of: ['custom_id', 'username'],
        description: "The consumer's field that this claim is looked up in.",
      },
    },
    { consumer_optional: flag(false, 'Whether to let in callers who are no consumer.') },
    { groups_claim: { type: 'string', description: 'The claim with the groups that `acl` goes by.' } },
  ],
  entity_checks: [{ at_least_one_of: ['issuer', 'uri'] }],
}

export const jwtSchema: PluginSchema = {
  name: 'jwt',
  fields: [
    { consumer: noConsumer },
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          { uri_param_names: names(['jwt'], 'Query parameters in which a token is looked for.') },
          { cookie_names: names([], 'Cookies in which a token is looked for.') },
          { key_claim_name: { type: 'string', default: 'iss', description: 'The claim that names the key.' } },
          { secret_is_base64: { type: 'boolean', required: true, default: false, description: 'Of the stored keys.' } },
          {
            claims_to_verify: {
              type: 'set',
              elements: { type: 'string', one_of: ['exp', 'nbf'] },
              description: 'Claims that must be there and must hold.',
            },
          },
          { anonymous: anonymousField },
          { run_on_preflight: flag(true, 'Whether OPTIONS requests need a token too.') },
          {
            maximum_expiration: {
              type: 'number',
              default: 0,
              between: [0, 31_536_000],
              description: 'Seconds that a token may be valid for from now; 0 for any.',
            },
          },
          { header_names: names(['authorization'], 'Headers in which a token is looked for.', headerName) },
          { realm: realmField() },
          { jwks },
        ],
      },
    },
  ],
  entity_checks: [
    {
      conditional: {
        if_field: 'config.maximum_expiration',
        if_match: { gt: 0 },
        then_field: 'config.claims_to_verify',
        then_match: { contains: 'exp' },
      },
    },
  ],
}
