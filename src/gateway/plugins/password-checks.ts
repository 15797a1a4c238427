import { createHmac, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { isPassword } from '../config/password.ts'
import { PASSWORD_CHECKS_AT_ONCE, PASSWORD_CHECKS_PENDING_MAX, PASSWORD_VERDICTS_MAX } from '../limits.ts'

/**
 * Checks of passwords, which are slow on purpose: a verdict is remembered, so that a client pays once, and few run at
 * a time, so that guessing cannot take the processor from everybody else. What is remembered is a keyed hash of
 * password and stored hash, worthless to others and outdated by a change of the password.
 */
export class PasswordChecks {
  readonly #key = randomBytes(32)
  readonly #verdicts = new LRUCache<string, boolean>({ max: PASSWORD_VERDICTS_MAX })
  readonly #pending = new Map<string, Promise<boolean>>()
  readonly #lanes: Promise<unknown>[] = Array.from({ length: PASSWORD_CHECKS_AT_ONCE }, () => Promise.resolve())
  #nextLane = 0

  /**
   * Whether `password` is what was stored; false, and as slowly, when nothing was: nobody can tell which usernames
   * exist. `busy`: not checked, too many wait.
   */
  check(password: string, stored: string = DECOY): boolean | 'busy' | Promise<boolean> {
    const name = createHmac('sha256', this.#key).update(stored).update('\0').update(password).digest('base64')
    const known = this.#verdicts.get(name) ?? this.#pending.get(name)
    if (known !== undefined) return known
    if (this.#pending.size >= PASSWORD_CHECKS_PENDING_MAX) return 'busy'
    const lane = this.#nextLane++ % PASSWORD_CHECKS_AT_ONCE
    const verdict = this.#run(name, { password, stored, after: this.#lanes[lane] })
    this.#lanes[lane] = verdict.catch(() => undefined)
    this.#pending.set(name, verdict)
    return verdict
  }

  async #run(name: string, check: { password: string; stored: string; after: Promise<unknown> | undefined }) {
    try {
      await check.after
      const verdict = await isPassword(check.password, check.stored)
      this.#verdicts.set(name, verdict)
      return verdict
    } finally {
      this.#pending.delete(name)
    }
  }
}

/** In the form of a stored password, but of no password: its hash is nothing but zeros. */
const DECOY = `$scrypt$ln=14,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`
