import { STOP_GRACE_MS } from '../../core/index.ts'
import { at, isObject, itemsAt, type Json, objectAt, textAt, textsAt } from './json.ts'
import { isFloating, isSecret } from './pod-rules.ts'
import type { Verdict } from './rule.ts'

/** A Compose project and the files beside it. */
export type Project = { readonly value: Json; readonly files: readonly string[] }

type ServiceRule = (service: Json, project: Project) => Verdict

/** Rules about one service of a Compose project, by name. */
export const COMPOSE_RULES: Readonly<Record<string, ServiceRule>> = {
  'image says which version': ({ image }) =>
    isFloating(image) && `image ${String(image)} may change under the same name`,

  'ports are open on this machine only': (service) => {
    const open = textsAt(service, 'ports').filter((port) => !/^(127\.0\.0\.1|\[::1\]):/.test(port))
    return open.length > 0 && `${open.join(', ')} is open to the network: begin it with 127.0.0.1:`
  },

  'says whether it is healthy': (service) =>
    at(service, 'healthcheck.test') === undefined && 'without a healthcheck nothing can wait for it',

  'waits for what there is': (service, { value }) => {
    const missing = Object.keys(objectAt(service, 'depends_on')).filter(
      (name) => objectAt(value, 'services')[name] === undefined,
    )
    return missing.length > 0 && `depends on ${missing.join(', ')}, which is not there`
  },

  'waits for what starts without a profile': (service, { value }) => {
    const optional = Object.keys(objectAt(service, 'depends_on')).filter(
      (name) => textsAt(objectAt(value, 'services')[name], 'profiles').length > 0,
    )
    return (
      service.profiles === undefined && optional.length > 0 && `depends on ${optional.join(', ')}, which has a profile`
    )
  },

  'volumes are declared': (service, { value, files }) => {
    const sources = textsAt(service, 'volumes').map((volume) => volume.split(':')[0] ?? '')
    const missing = sources.filter((source) =>
      source.startsWith('./') ? !files.includes(source.slice(2)) : objectAt(value, 'volumes')[source] === undefined,
    )
    return missing.length > 0 && `mounts ${missing.join(', ')}, which is not there`
  },

  'secrets are referred to': (service) => {
    const told = Object.entries(objectAt(service, 'environment')).filter(([name, text]) => isSecret(name, text))
    return told.length > 0 && `${told.map(([name]) => name).join(', ')} must come from .env`
  },

  'has time to stop': (service) => {
    if (!isOurs(service)) return undefined
    const seconds = Number(/^(\d+)s$/.exec(textAt(service, 'stop_grace_period') ?? '10s')?.[1])
    return (
      seconds * 1_000 <= STOP_GRACE_MS &&
      `stop_grace_period is ${seconds} s, the drain takes up to ${STOP_GRACE_MS / 1_000}`
    )
  },

  'keeps its privileges down': (service) => {
    const isSafe = service.read_only === true && textsAt(service, 'cap_drop').includes('ALL')
    return isOurs(service) && !isSafe && 'set read_only: true and cap_drop: [ALL]'
  },

  'reaches databases that are there': (service, { value }) => absentHosts(service, value, 'DATABASE_URLS'),
  'reaches a broker that is there': (service, { value }) => absentHosts(service, value, 'EVENTS_URL'),
}

/** Hosts of a variable with URLs that are no service of the project, nor the machine for who is on its network. */
function absentHosts(service: Json, project: Json, variable: string): Verdict {
  const urls = textAt(service, `environment.${variable}`) ?? ''
  const hosts = [...urls.matchAll(/(?:@|:\/\/)([\w.-]+):\d/g)].map(([, host]) => host ?? '')
  const others = service.network_mode === 'host' ? ['127.0.0.1'] : Object.keys(objectAt(project, 'services'))
  const missing = hosts.filter((host) => !others.includes(host))
  return missing.length > 0 && `${variable} names ${[...new Set(missing)].join(', ')}, which is not there`
}

/** What Prometheus is to scrape and is not there. */
export function scrapeVerdict(prometheus: Json, project: Project): Verdict {
  const targets = itemsAt(prometheus, 'scrape_configs')
    .flatMap((config) => itemsAt(config, 'static_configs'))
    .flatMap((config) => textsAt(config, 'targets'))
  const missing = targets.filter((target) => !isObject(objectAt(project.value, 'services')[target.split(':')[0] ?? '']))
  return missing.length > 0 && `scrapes ${missing.join(', ')}, which is not there`
}

/** Whether a service is a process of the application. */
function isOurs(service: Json): boolean {
  return textsAt(service, 'command').includes('--only')
}
