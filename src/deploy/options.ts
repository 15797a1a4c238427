/** What the application value does not say, because it is about one place where the application is to run. */
export type RenderOptions = {
  /** The application's file as the container sees it, relative to the folder that the image is built from. */
  readonly appPath: string
  /** The image with its tag, never `latest`: `registry.example.com/shop:1.4.0`. */
  readonly image: string
  /** What the image is made of: files and folders that it copies, and the command line inside. */
  readonly build: BuildOptions
  /** Shards of the cluster: `DATABASE_URLS` names as many databases. */
  readonly shards: number
  /** What delivers events: the log in the databases, or a broker that `EVENTS_URL` names. */
  readonly events: EventsEngine
  /** Of each topic on a broker: as many processes of a service share its events. */
  readonly partitions: number
  /** Variables that this version reads: an engine is wired in only when its own is among them. */
  readonly variables: ReadonlySet<string>
  /** What changes the number of replicas. `keda` needs KEDA in the cluster; `hpa` needs prometheus-adapter. */
  readonly autoscaler: 'hpa' | 'keda'
  /** Where KEDA asks for measurements. */
  readonly prometheusUrl: string
}

export const EVENTS_ENGINES = ['postgres', 'kafka', 'rabbitmq'] as const
export type EventsEngine = (typeof EVENTS_ENGINES)[number]

export type BuildOptions = {
  /** Where the folder that holds package.json is, and the Dockerfile in it, as seen from the folder of the output. */
  readonly context: string
  readonly dockerfile: string
  /** Files and folders that the image copies, relative to that folder. */
  readonly copies: readonly string[]
  /** Packages of engine drivers with their versions, which nothing else would install: `redis@6.3.1`. */
  readonly drivers: readonly string[]
  /** Of `node`, inside the image: `bin/groundswell.js`. */
  readonly entrypoint: string
  /** Version of Node in the image. */
  readonly nodeVersion: string
}
