import { EVENT_LOOP_UTILIZATION, LAG_EVENTS, REQUEST_COUNT, REQUESTS_PER_SECOND } from '../metric-names.ts'
import { type RenderedFile, yamlFile } from '../rendered-file.ts'
import type { Workload } from '../workload.ts'

/** Values for the Helm chart of prometheus-adapter: they turn our metrics into those that the autoscalers ask for. */
export function adapterRules(workloads: readonly Workload[]): RenderedFile {
  const scalesByRequests = workloads.some(({ scale }) => scale.requestsPerSecond !== undefined)
  const inNamespace = { namespace: { resource: 'namespace' } }
  const ofPod = { overrides: { ...inNamespace, pod: { resource: 'pod' } } }
  const rules = {
    custom: [
      {
        seriesQuery: `${EVENT_LOOP_UTILIZATION}{namespace!="",pod!=""}`,
        resources: ofPod,
        name: { as: EVENT_LOOP_UTILIZATION },
        metricsQuery: 'avg(avg_over_time(<<.Series>>{<<.LabelMatchers>>}[1m])) by (<<.GroupBy>>)',
      },
      ...(scalesByRequests ? [requestRule(ofPod)] : []),
    ],
    external: [
      {
        seriesQuery: `${LAG_EVENTS}{namespace!=""}`,
        resources: { overrides: inNamespace },
        name: { as: LAG_EVENTS },
        // Each topic once: the process that measures changes, and for a moment two of them tell.
        metricsQuery: 'sum(max(<<.Series>>{<<.LabelMatchers>>}) by (topic, <<.GroupBy>>)) by (<<.GroupBy>>)',
      },
    ],
  }
  const comment =
    'Values for the Helm chart of prometheus-adapter. The labels namespace and pod are those that Prometheus adds to what it scrapes from pods.'
  return yamlFile('prometheus-adapter-values.yaml', [{ rules }], comment)
}

function requestRule(resources: unknown) {
  return {
    seriesQuery: `${REQUEST_COUNT}{namespace!="",pod!=""}`,
    resources,
    name: { as: REQUESTS_PER_SECOND },
    metricsQuery: 'sum(rate(<<.Series>>{<<.LabelMatchers>>}[1m])) by (<<.GroupBy>>)',
  }
}
