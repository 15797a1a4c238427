import { trafficSplit } from './apisix-traffic-split.ts'

/**
 * Plugins in the words of Kong and of APISIX. A conversion answers the other's settings, and names what it could not
 * say. Source: APISIX 3.11, `docs/en/latest/plugins`.
 */
export type Settings = Readonly<Record<string, unknown>>
export type Converted = { readonly name: string; readonly config: Settings; readonly omitted: readonly string[] }

/** `config` is undefined when nothing of it can be said. */
type Said = { readonly config: Settings | undefined; readonly omitted?: readonly string[] }

export type Conversion = {
  readonly apisix: string
  readonly toApisix: (config: Settings) => Said
  readonly toKong: (config: Settings) => Said
}

const SECONDS: Readonly<Record<string, number>> = {
  second: 1,
  minute: 60,
  hour: 3_600,
  day: 86_400,
  month: 2_592_000,
  year: 31_536_000,
}

/** Shortest first. */
const PERIODS = Object.keys(SECONDS)

const LIMIT_KEYS: Readonly<Record<string, string>> = {
  ip: 'remote_addr',
  consumer: 'consumer_name',
  credential: 'consumer_name',
  service: 'service_id',
}

const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  canary: trafficSplit,
  'proxy-mirror': {
    apisix: 'proxy-mirror',
    toApisix: ({ host, path, path_concat_mode, sample_ratio, methods }) => ({
      config: { host, ...(typeof path === 'string' && { path, path_concat_mode }), sample_ratio: sample_ratio ?? 1 },
      omitted: list(methods).length > 0 ? ['methods: it copies all'] : [],
    }),
    toKong: ({ host, path, path_concat_mode, sample_ratio }) => ({
      config: {
        host,
        ...(path !== undefined && { path }),
        ...(path_concat_mode !== undefined && { path_concat_mode }),
        ...(sample_ratio !== undefined && { sample_ratio }),
      },
    }),
  },
  'key-auth': {
    apisix: 'key-auth',
    toApisix: ({ key_names, hide_credentials }) => {
      const [name = 'apikey', ...more] = list(key_names)
      return {
        config: { header: name, query: name, hide_credentials: hide_credentials === true },
        omitted: more.map((each) => `the further key name "${String(each)}"`),
      }
    },
    toKong: ({ header = 'apikey', query, hide_credentials }) => ({
      config: {
        key_names: [...new Set([header, query ?? header])],
        hide_credentials: hide_credentials === true,
      },
    }),
  },
  'rate-limiting': { apisix: 'limit-count', toApisix: limitCount, toKong: rateLimiting },
  'correlation-id': {
    apisix: 'request-id',
    toApisix: ({ header_name, echo_downstream, generator }) => ({
      config: { header_name: header_name ?? 'Kong-Request-ID', include_in_response: echo_downstream === true },
      omitted: generator === 'tracker' ? ['the generator "tracker"'] : [],
    }),
    toKong: ({ header_name = 'X-Request-Id', include_in_response = true }) => ({
      config: { header_name, echo_downstream: include_in_response, generator: 'uuid' },
    }),
  },
  prometheus: {
    apisix: 'prometheus',
    toApisix: () => ({ config: {} }),
    toKong: () => ({ config: { status_code_metrics: true, latency_metrics: true, bandwidth_metrics: true } }),
  },
  'ip-restriction': {
    apisix: 'ip-restriction',
    toApisix: ({ allow, deny, message, status }) => ({
      config: {
        ...(list(deny).length > 0 ? { blacklist: deny } : { whitelist: allow }),
        ...(typeof message === 'string' && { message }),
        ...(typeof status === 'number' && { response_code: status }),
      },
      omitted: list(allow).length > 0 && list(deny).length > 0 ? ['allow, which APISIX does not take beside deny'] : [],
    }),
    toKong: ({ whitelist, blacklist, message, response_code }) => ({
      config: {
        ...(whitelist !== undefined && { allow: whitelist }),
        ...(blacklist !== undefined && { deny: blacklist }),
        ...(message !== undefined && { message }),
        ...(response_code !== undefined && { status: response_code }),
      },
    }),
  },
  'request-termination': {
    apisix: 'fault-injection',
    toApisix: ({ status_code, message, body }) => ({
      config: { abort: { http_status: status_code ?? 503, body: body ?? JSON.stringify({ message: message ?? '' }) } },
    }),
    toKong: ({ abort, delay }) => {
      const { http_status = 503, body } = (abort ?? {}) as Settings
      return {
        config: { status_code: http_status, ...(body !== undefined && { body, content_type: 'text/plain' }) },
        omitted: delay === undefined ? [] : ['delay'],
      }
    },
  },
  'http-log': {
    apisix: 'http-logger',
    toApisix: ({ http_endpoint, timeout }) => ({
      config: { uri: http_endpoint, timeout: Math.ceil(Number(timeout ?? 10_000) / 1_000) },
    }),
    toKong: ({ uri, timeout = 3 }) => ({ config: { http_endpoint: uri, timeout: Number(timeout) * 1_000 } }),
  },
}

/** Undefined when APISIX has nothing like it, or nothing of it is known here. */
export function pluginToApisix(name: string, config: Settings): Converted | undefined {
  const conversion = Object.hasOwn(CONVERSIONS, name) ? CONVERSIONS[name] : undefined
  return conversion && converted(conversion.apisix, conversion.toApisix(config))
}

export function pluginToKong(name: string, config: Settings): Converted | undefined {
  const found = Object.entries(CONVERSIONS).find(([, { apisix }]) => apisix === name)
  if (found === undefined) return undefined
  const [kong, { toKong }] = found
  return converted(kong, toKong(config))
}

function converted(name: string, { config, omitted = [] }: Said): Converted | undefined {
  return config && { name, config, omitted }
}

/** APISIX counts in one window, Kong in several: the shortest is what stops a burst. */
function limitCount(config: Settings) {
  const [first, ...more] = PERIODS.filter((period) => typeof config[period] === 'number')
  const by = String(config.limit_by)
  const key = by === 'header' ? `http_${String(config.header_name).toLowerCase().replaceAll('-', '_')}` : LIMIT_KEYS[by]
  return {
    config: {
      count: config[first ?? 'minute'],
      time_window: SECONDS[first ?? 'minute'],
      key_type: 'var',
      key: key ?? 'remote_addr',
      rejected_code: config.error_code ?? 429,
      ...(typeof config.error_message === 'string' && { rejected_msg: config.error_message }),
      policy: 'local',
    },
    omitted: [
      ...more.map((period) => `the limit per ${period}, beside the one per ${first}`),
      ...(key === undefined ? [`limit_by ${by}, for which it counts by address`] : []),
      ...(config.policy === 'local' ? [] : [`the policy ${String(config.policy)}: each APISIX counts for itself`]),
    ],
  }
}

function rateLimiting(config: Settings) {
  const period = PERIODS.find((each) => SECONDS[each] === config.time_window)
  const by = Object.entries(LIMIT_KEYS).find(([, key]) => key === config.key)?.[0]
  return {
    config: {
      [period ?? 'minute']:
        period === undefined ? (Number(config.count) * 60) / Number(config.time_window) : Number(config.count),
      limit_by: by ?? 'ip',
      error_code: config.rejected_code ?? 503,
      ...(config.rejected_msg !== undefined && { error_message: config.rejected_msg }),
      policy: 'local',
    },
    omitted: [
      ...(period === undefined ? [`the window of ${String(config.time_window)} s, which became one of a minute`] : []),
      ...(by === undefined ? [`the key ${String(config.key)}, for which it counts by address`] : []),
      ...((config.policy ?? 'local') === 'local' ? [] : [`the policy ${String(config.policy)}`]),
    ],
  }
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
