import type { Alert } from '../view.ts'
import { alertChanged } from './channels.ts'
import { ALERT_KEPT_MS, ALERTS_MAX } from './limits.ts'

type NewAlert = Pick<Alert, 'rule' | 'subject' | 'message' | 'sinceMs'>

/** Alerts that fire, and those resolved within a day. Every change is published. */
export class AlertHistory {
  /** By the subject's key; oldest first. */
  readonly #firing = new Map<string, Alert>()
  /** Oldest first. */
  readonly #resolved: Alert[] = []

  fire(key: string, alert: NewAlert, atMs: number): void {
    const id = `${alert.rule} ${alert.subject} ${new Date(atMs).toISOString()}`
    const firing: Alert = { id, ...alert, state: 'firing', resolvedAtMs: undefined }
    this.#firing.set(key, firing)
    alertChanged.publish(firing)
  }

  /** Says more, or less, of an alert that goes on firing. Nothing happens when none fires for the key. */
  reword(key: string, message: string): void {
    const firing = this.#firing.get(key)
    if (firing === undefined) return
    const reworded: Alert = { ...firing, message }
    this.#firing.set(key, reworded)
    alertChanged.publish(reworded)
  }

  /** Nothing happens when none fires for the key. */
  resolve(key: string, how: string, atMs: number): void {
    const firing = this.#firing.get(key)
    if (firing === undefined) return
    this.#firing.delete(key)
    const resolved: Alert = {
      ...firing,
      state: 'resolved',
      message: `${firing.message} ${how}`,
      resolvedAtMs: atMs,
    }
    this.#resolved.push(resolved)
    alertChanged.publish(resolved)
  }

  /** Forgets what is older than a day, and the oldest of more than ALERTS_MAX. */
  prune(atMs: number): void {
    while (this.#resolved.length > ALERTS_MAX) this.#resolved.shift()
    while ((this.#resolved[0]?.resolvedAtMs ?? atMs) < atMs - ALERT_KEPT_MS) this.#resolved.shift()
  }

  firing(): readonly Alert[] {
    return [...this.#firing.values()].reverse()
  }

  /** Firing ones first, then resolved ones, newest first. */
  all(): readonly Alert[] {
    return [...this.firing(), ...this.#resolved.toReversed()]
  }
}
