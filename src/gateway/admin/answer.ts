import type { TextPage } from '../../core/index.ts'

/** What an endpoint answers; no body for 204, a page in its place where that is long. */
export type Answer = {
  readonly status: number
  readonly body?: unknown
  readonly page?: TextPage
  readonly headers?: Readonly<Record<string, string>>
}

export const VERBS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
export type Verb = (typeof VERBS)[number]

/** A decoded body: fields by name. Values of forms are texts, whose types follow from the schema. */
export type Input = { readonly values: Readonly<Record<string, unknown>>; readonly form: boolean }

export type Call = {
  readonly query: URLSearchParams
  /** Reads and decodes the body; throws an `ApiError` when it cannot. */
  readonly input: () => Promise<Input>
  /** Reads the body as the text of a declarative configuration. */
  readonly document: () => Promise<string>
}

export type Endpoint = Partial<Record<Verb, (call: Call) => Promise<Answer> | Answer>>

export const ok = (body: unknown): Answer => ({ status: 200, body })
export const created = (body: unknown): Answer => ({ status: 201, body })
export const noContent: Answer = { status: 204 }
