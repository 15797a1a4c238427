import type { ErrorObject, ValidateFunction } from 'ajv'
import type { Exchange } from '../exchange.ts'
import { TRANSFORMED_BODY_BYTES_MAX } from '../limits.ts'
import { queryValues } from '../query.ts'
import type { PluginDefinition } from './plugin.ts'
import {
  compileSchema,
  type ParameterRule,
  type RequestValidatorConfig,
  requestValidatorSchema,
} from './request-validator-schema.ts'

/**
 * Refuses requests whose body or parameters are not as a JSON Schema says, before their service sees them.
 * Source: Kong's documentation of `request-validator`, which is part of its paid edition.
 */
export const requestValidator: PluginDefinition = {
  name: 'request-validator',
  version: '3.9.1',
  priority: 999,
  schema: requestValidatorSchema,
  create(raw) {
    const config = raw as RequestValidatorConfig
    const { body_schema, version } = config
    const body = body_schema === null ? undefined : compileSchema(body_schema, version, false)
    const parameters = (config.parameter_schema ?? []).map((rule) => ({
      rule,
      matches: rule.schema === null ? undefined : compileSchema(rule.schema, version, true),
    }))
    return {
      access(exchange) {
        for (const { rule, matches } of parameters) {
          const errors = parameterErrors(exchange, rule, matches)
          if (errors !== undefined)
            return refuse(exchange, config, { message: "request param doesn't conform to schema", errors })
        }
        return body === undefined ? undefined : checkBody(exchange, config, body)
      },
    }
  },
}

type Problem = { readonly path: string; readonly message: string }

function refuse(
  exchange: Exchange,
  { verbose_response }: RequestValidatorConfig,
  { message, errors }: { readonly message: string; readonly errors: readonly Problem[] },
): undefined {
  const body = JSON.stringify(verbose_response ? { message, data: errors } : { message })
  return exchange.respond(400, ['Content-Type', 'application/json; charset=utf-8'], body)
}

/** What is wrong with a parameter, or undefined. */
function parameterErrors(
  exchange: Exchange,
  rule: ParameterRule,
  matches: ValidateFunction | undefined,
): readonly Problem[] | undefined {
  const value =
    rule.in === 'query' ? queryValues(exchange.query, rule.name)[0] : exchange.headers[rule.name.toLowerCase()]
  if (value === undefined) return rule.required ? [{ path: rule.name, message: 'is required' }] : undefined
  // Its schema was compiled to take text for the number or boolean that it stands for.
  if (matches === undefined || matches(value)) return undefined
  return problemsOf(matches.errors, rule.name)
}

async function checkBody(exchange: Exchange, config: RequestValidatorConfig, matches: ValidateFunction): Promise<void> {
  const type = exchange.headers['content-type'] ?? ''
  if (!config.allowed_content_types.some((allowed) => isType(type, allowed, config))) {
    refuse(exchange, config, { message: 'specified Content-Type is not allowed', errors: [] })
    return
  }
  if (mediaTypeOf(type) !== 'application/json') return
  const body = await exchange.readBody(TRANSFORMED_BODY_BYTES_MAX)
  if (body === undefined) {
    exchange.exit(413, 'Request body is too large to be validated')
    return
  }
  const value = parsed(body.toString())
  if (value !== INVALID && matches(value)) return
  const errors = value === INVALID ? [{ path: '', message: 'is no JSON' }] : problemsOf(matches.errors)
  refuse(exchange, config, { message: "request body doesn't conform to schema", errors })
}

const INVALID = Symbol('no JSON')

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return INVALID
    throw error
  }
}

function problemsOf(errors: readonly ErrorObject[] | null | undefined, name = ''): readonly Problem[] {
  return (errors ?? []).map(({ instancePath, message = '' }) => ({ path: `${name}${instancePath}`, message }))
}

function mediaTypeOf(type: string): string {
  return (type.split(';')[0] ?? '').trim().toLowerCase()
}

function isType(given: string, allowed: string, config: RequestValidatorConfig): boolean {
  if (mediaTypeOf(given) !== mediaTypeOf(allowed)) return false
  return !config.content_type_parameter_validation || parametersOf(given) === parametersOf(allowed)
}

function parametersOf(type: string): string {
  const [, ...parameters] = type.toLowerCase().split(';')
  return parameters
    .map((parameter) => parameter.trim())
    .sort()
    .join(';')
}
