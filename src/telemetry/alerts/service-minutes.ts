import type { Second, ServiceSecond, TrafficSecond } from '../second.ts'
import type { ServiceMinute } from './verdict.ts'

/** What services reported of a second, and what the gateway measured of the requests for them, by their name. */
export function servicesOf({ services, traffic }: Pick<Second, 'services' | 'traffic'>): readonly ServiceMinute[] {
  const measured = traffic.filter(({ kind }) => kind === 'service').map(measuredOf)
  return sumServices([...services.map(reportedOf), ...measured])
}

function reportedOf({ deliveryAge: _, ...counts }: ServiceSecond): ServiceMinute {
  return { ...counts, gateway: { requests: 0, errors: 0 } }
}

const NOTHING_REPORTED = { requests: 0, events: 0, httpErrors: 0, applicationErrors: 0, databaseErrors: 0 }

/** The application's services have the same name in the gateway; others only there. */
function measuredOf({ id, name, statuses }: TrafficSecond): ServiceMinute {
  const gateway = { requests: 0, errors: 0 }
  for (const [status, requests] of Object.entries(statuses)) {
    gateway.requests += requests
    if (Number(status) >= 500) gateway.errors += requests
  }
  return { service: name || id || 'requests without a service', ...NOTHING_REPORTED, gateway }
}

/** Adds up what is of the same service. */
export function sumServices(services: readonly ServiceMinute[]): readonly ServiceMinute[] {
  return [...Map.groupBy(services, ({ service }) => service)].map(([service, parts]) => {
    const total = (read: (part: ServiceMinute) => number) => parts.reduce((sum, part) => sum + read(part), 0)
    return {
      service,
      requests: total((part) => part.requests),
      events: total((part) => part.events),
      httpErrors: total((part) => part.httpErrors),
      applicationErrors: total((part) => part.applicationErrors),
      databaseErrors: total((part) => part.databaseErrors),
      gateway: {
        requests: total((part) => part.gateway.requests),
        errors: total((part) => part.gateway.errors),
      },
    }
  })
}
