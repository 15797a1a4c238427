import { Ajv, type AnySchema, type ValidateFunction } from 'ajv'
import { httpProtocols, type PluginSchema } from '../config/schema.ts'
import { isRecord } from '../config/values.ts'

/** The configuration of `request-validator`, as far as Kong's paid edition documents it. */
export type RequestValidatorConfig = {
  readonly body_schema: string | null
  readonly version: 'draft4' | 'draft7'
  readonly allowed_content_types: readonly string[]
  readonly content_type_parameter_validation: boolean
  readonly parameter_schema: readonly ParameterRule[] | null
  readonly verbose_response: boolean
}

export type ParameterRule = {
  readonly in: 'query' | 'header'
  readonly name: string
  readonly required: boolean
  readonly schema: string | null
}

export const requestValidatorSchema: PluginSchema = {
  name: 'request-validator',
  fields: [
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        custom_validator: schemasError,
        fields: [
          { body_schema: { type: 'string', description: 'JSON Schema of the body, as text.' } },
          {
            version: {
              type: 'string',
              required: true,
              default: 'draft7',
              one_of: ['kong', 'draft4', 'draft7'],
              description: 'The language of the schemas. Kong’s own is not available.',
              custom_validator: (value: string) =>
                value === 'kong' ? "version 'kong' is not available: write the schema as draft4 or draft7" : undefined,
            },
          },
          {
            allowed_content_types: {
              type: 'set',
              default: ['application/json'],
              elements: { type: 'string' },
              description: 'Types that a body may have. Only application/json is checked by the schema.',
            },
          },
          {
            content_type_parameter_validation: {
              type: 'boolean',
              required: true,
              default: true,
              description: 'Whether parameters of the type must be the same too.',
            },
          },
          {
            parameter_schema: {
              type: 'array',
              description: 'What query parameters and headers must be.',
              elements: {
                type: 'record',
                fields: [
                  { in: { type: 'string', required: true, one_of: ['query', 'header'], description: 'Where it is.' } },
                  { name: { type: 'string', required: true, description: 'Its name.' } },
                  {
                    required: {
                      type: 'boolean',
                      required: true,
                      default: false,
                      description: 'Whether it must be there.',
                    },
                  },
                  { schema: { type: 'string', description: 'JSON Schema of its value, as text.' } },
                ],
              },
            },
          },
          {
            verbose_response: {
              type: 'boolean',
              required: true,
              default: false,
              description: 'Whether the answer says what is wrong.',
            },
          },
        ],
      },
    },
  ],
  entity_checks: [{ at_least_one_of: ['config.body_schema', 'config.parameter_schema'] }],
}

type Draft = RequestValidatorConfig['version']

/** Compiles a schema; throws with a message for people when it is none. `coerce` turns text into what is asked for. */
export function compileSchema(text: string, version: Draft, coerce: boolean): ValidateFunction {
  const schema: unknown = JSON.parse(text)
  if (!isRecord(schema)) throw new Error('a JSON Schema is an object')
  // A format is a note for people where nothing checks it, as the drafts allow; unknown keywords are refused.
  const ajv = new Ajv({ strictSchema: true, strictTypes: false, validateFormats: false, coerceTypes: coerce })
  return ajv.compile(version === 'draft4' ? (fromDraft4(schema) as AnySchema) : schema)
}

/** What draft 4 writes otherwise: `id`, and bounds that are exclusive by a flag. Source: JSON Schema, release notes. */
function fromDraft4(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(fromDraft4)
  if (!isRecord(schema)) return schema
  const { $schema: _, id, exclusiveMinimum, exclusiveMaximum, ...rest } = schema
  const later: Record<string, unknown> = Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [key, VALUES.has(key) ? value : fromDraft4(value)]),
  )
  if (typeof id === 'string') later.$id = id
  else if (id !== undefined) later.id = fromDraft4(id)
  moveBound(later, 'minimum', exclusiveMinimum)
  moveBound(later, 'maximum', exclusiveMaximum)
  return later
}

/** Keywords whose value is data and no schema. */
const VALUES = new Set(['enum', 'default', 'required', 'examples'])

function moveBound(schema: Record<string, unknown>, bound: 'minimum' | 'maximum', exclusive: unknown): void {
  const name = bound === 'minimum' ? 'exclusiveMinimum' : 'exclusiveMaximum'
  if (isRecord(exclusive)) schema[name] = fromDraft4(exclusive)
  if (exclusive !== true) return
  schema[name] = schema[bound]
  delete schema[bound]
}

function schemasError(config: Readonly<Record<string, unknown>>): string | undefined {
  const { body_schema, parameter_schema, version } = config as RequestValidatorConfig
  const texts = [body_schema, ...(parameter_schema ?? []).map((parameter) => parameter.schema)]
  for (const text of texts) {
    if (typeof text !== 'string') continue
    try {
      compileSchema(text, version, false)
    } catch (error) {
      return `invalid schema: ${error instanceof Error ? error.message : String(error)}`
    }
  }
  return undefined
}
