export { asyncApiOf } from './asyncapi.ts'
export { openApiOf } from './openapi.ts'
export {
  type Breach,
  checkEvents,
  type EventsCheck,
  parseReleased,
  type ReleasedEvents,
  releaseOf,
} from './released.ts'
