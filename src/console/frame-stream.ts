import type { ServerResponse } from 'node:http'
import type { Frame, TelemetryView } from '../telemetry/index.ts'
import { consoleError } from './errors.ts'
import { HEARTBEAT_MS, RECONNECT_MS, STALLED_FRAMES_MAX, STREAMS_MAX } from './limits.ts'
import { type ConsoleState, stateOf } from './state.ts'

/**
 * Server-sent events: a `frame` each second, its id being its time, and a `state` (verdict, alerts, degradations)
 * whenever that changes. One serialisation serves every browser.
 *
 * A browser that does not keep up is skipped, not buffered: once its connection drains it gets what it missed from the
 * history, and after STALLED_FRAMES_MAX frames without draining it is cut off. So a client holds at most one history.
 */
export class FrameStream {
  private readonly clients = new Set<Client>()
  private readonly view: TelemetryView
  private readonly unsubscribe: () => void
  private readonly heartbeat: NodeJS.Timeout
  private lastFrameAtMs = 0
  private stateText = ''

  constructor(view: TelemetryView) {
    this.view = view
    this.unsubscribe = view.subscribe((frame) => this.publish(frame))
    this.heartbeat = setInterval(() => this.beat(), HEARTBEAT_MS)
    this.heartbeat.unref()
  }

  /**
   * Makes the response a stream of what comes after `sinceMs`; of what comes from now on when it is undefined. Throws
   * CONSOLE_STREAMS_EXHAUSTED.
   */
  open(response: ServerResponse, sinceMs: number | undefined): void {
    if (this.clients.size >= STREAMS_MAX) {
      throw consoleError('CONSOLE_STREAMS_EXHAUSTED', `${STREAMS_MAX} browsers follow the stream already`)
    }
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    const client: Client = { response, sentAtMs: sinceMs ?? this.lastFrameAtMs, stalledFrames: 0, state: '' }
    this.clients.add(client)
    response.on('close', () => this.clients.delete(client))
    response.write(`retry: ${RECONNECT_MS}\n\n`)
    this.sendState(client, eventOfState(stateOf(this.view)))
    if (sinceMs !== undefined) this.catchUp(client)
  }

  close(): void {
    this.unsubscribe()
    clearInterval(this.heartbeat)
    for (const { response } of this.clients) response.end()
    this.clients.clear()
  }

  private publish(frame: Frame): void {
    this.lastFrameAtMs = frame.atMs
    if (this.clients.size === 0) return
    this.stateText = eventOfState(stateOf(this.view))
    const text = eventOfFrame(frame)
    for (const client of this.clients) this.send(client, frame, text)
  }

  private send(client: Client, frame: Frame, text: string): void {
    if (client.response.writableNeedDrain) {
      client.stalledFrames += 1
      if (client.stalledFrames >= STALLED_FRAMES_MAX) client.response.destroy()
      return
    }
    this.sendState(client, this.stateText)
    if (client.stalledFrames > 0) {
      client.stalledFrames = 0
      this.catchUp(client)
    }
    if (frame.atMs <= client.sentAtMs) return
    client.sentAtMs = frame.atMs
    client.response.write(text)
  }

  private sendState(client: Client, text: string): void {
    if (text === client.state) return
    client.state = text
    client.response.write(text)
  }

  private catchUp(client: Client): void {
    const missed = this.view.history(client.sentAtMs).filter((frame) => frame.atMs > client.sentAtMs)
    client.sentAtMs = missed.at(-1)?.atMs ?? client.sentAtMs
    client.response.write(missed.map(eventOfFrame).join(''))
  }

  private beat(): void {
    for (const { response } of this.clients) if (!response.writableNeedDrain) response.write(': alive\n\n')
  }
}

type Client = {
  readonly response: ServerResponse
  /** Time of the last frame that was sent. */
  sentAtMs: number
  stalledFrames: number
  /** The last state that was sent. */
  state: string
}

function eventOfFrame(frame: Frame): string {
  return `id: ${frame.atMs}\nevent: frame\ndata: ${JSON.stringify(frame)}\n\n`
}

function eventOfState(state: ConsoleState): string {
  return `event: state\ndata: ${JSON.stringify(state)}\n\n`
}
