/** Something that a cluster would accept but not run well, or not safely. */
export type Finding = {
  readonly file: string
  /** Which object, service or line. */
  readonly subject: string
  readonly rule: string
  readonly message: string
}

/** What one rule says of one subject: nothing when all is well. */
export type Verdict = string | false | undefined
