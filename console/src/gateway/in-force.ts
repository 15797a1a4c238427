import type { GatewayConfiguration, GatewayPlugin } from '../../../src/console/index.ts'
import type { Subject } from './scope.ts'

/**
 * The plugins that run for a route, or for every route of a service, in the order in which they run; of a consumer
 * those that are its own. Of each kind one runs: the one with the narrowest scope. Those of single consumers replace it
 * only for these, so they are listed as well.
 */
export function pluginsInForce(configuration: GatewayConfiguration, subject: Subject): readonly GatewayPlugin[] {
  const { plugins, installed } = configuration
  const applying = plugins.filter((plugin) => plugin.enabled && applies(plugin, subject, configuration))
  const best = Map.groupBy(applying, ({ name, consumer }) => `${name} ${consumer ?? ''}`)
  return [...best.values()]
    .map((rivals) => rivals.reduce((one, other) => (narrowness(other) > narrowness(one) ? other : one)))
    .toSorted((one, other) => installed.indexOf(one.name) - installed.indexOf(other.name))
}

function applies({ service, route, consumer }: GatewayPlugin, subject: Subject, { routes }: GatewayConfiguration) {
  const { kind, id } = subject
  switch (kind) {
    case 'all':
      return service === undefined && route === undefined && consumer === undefined
    case 'consumer':
      return consumer === id
    case 'service':
      return route === undefined && (service === undefined || service === id)
    case 'route': {
      const owner = routes.find((one) => one.id === id)?.service
      return (route === undefined || route === id) && (service === undefined || service === owner)
    }
  }
}

/** As Kong compares scopes of the same consumer: route and service, route, service, none. */
function narrowness({ service, route }: GatewayPlugin): number {
  return (route === undefined ? 0 : 2) + (service === undefined ? 0 : 1)
}
