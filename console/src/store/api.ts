/** Reads JSON from the console's port. Rejects with what the server says is wrong. */
export async function readJson<Body>(path: string, signal?: AbortSignal): Promise<Body> {
  return bodyOf<Body>(path, await fetch(path, signal === undefined ? {} : { signal }))
}

/** Asks the console's server to do something. Rejects with what it says is wrong. */
export async function postJson<Body>(path: string, body: object): Promise<Body> {
  const headers = { 'content-type': 'application/json' }
  return bodyOf<Body>(path, await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) }))
}

async function bodyOf<Body>(path: string, response: Response): Promise<Body> {
  const body: unknown = await response.json()
  if (response.ok) return body as Body
  const { detail } = body as { readonly detail?: string }
  throw new Error(detail ?? `${path} answered ${response.status}`)
}
