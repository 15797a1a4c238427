/** Limits of the command line. */

/**
 * Signals that come closer together than this are one: npm passes on a Ctrl-C that the terminal has sent us already.
 */
export const SIGNAL_DUPLICATE_MS = 400

/** Time without another change after which `dev` starts again: an editor's writes, or a checkout's, are closer. */
export const DEV_QUIET_MS = 200

/** Dead letters that `events dlq` shows when no limit is given: a screenful. */
export const DEAD_LETTERS_SHOWN = 50

/** Characters of an error that a table shows; `--json` has all of it. */
export const ERROR_CHARACTERS_SHOWN = 100

/** Events that `events tail` shows when no limit is given: it is for looking, and a terminal holds no more. */
export const TAIL_EVENTS_SHOWN = 1_000

/** Characters of a payload on a line; `--json` has all of it. */
export const PAYLOAD_CHARACTERS_SHOWN = 160

/** Time in which a group that runs takes a replay: longer, and nobody works for it. */
export const REPLAY_TAKEN_MS = 10_000

/** Pause between two looks whether it has. */
export const REPLAY_POLL_MS = 100
