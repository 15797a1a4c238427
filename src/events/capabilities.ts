/**
 * What an engine of the event log can do beyond what all of them must, stated in the engine's file and shown by
 * docs/guides/events.md. An application that is to run on any engine relies on none of it.
 */
export type LogCapabilities = {
  readonly name: string
  /** Of what one process at a time has all events for a group: so many processes can share its work. */
  readonly sharedBy: 'shard' | 'partition'
  /** Events are kept for as long as the log keeps its own, whether they were read or not. */
  readonly keepsRead: boolean
  /** A group that does not read never holds up another. */
  readonly isolatesGroups: boolean
  /** Its records are CloudEvents, which programs in other languages can read along. */
  readonly isReadByOthers: boolean
  /** What it says of a group's lag counts what a process has taken and not acknowledged, whichever that is. */
  readonly countsTaken: boolean
}
