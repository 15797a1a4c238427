/** Limits of the command line. */

/**
 * Signals that come closer together than this are one: npm passes on a Ctrl-C that the terminal has sent us already.
 */
export const SIGNAL_DUPLICATE_MS = 400

/** Dead letters that `events dlq` shows when no limit is given: a screenful. */
export const DEAD_LETTERS_SHOWN = 50

/** Characters of an error that a table shows; `--json` has all of it. */
export const ERROR_CHARACTERS_SHOWN = 100
