/** Reads JSON from the console's port. Rejects with what the server says is wrong. */
export async function readJson<Body>(path: string, signal?: AbortSignal): Promise<Body> {
  const response = await fetch(path, signal === undefined ? {} : { signal })
  const body: unknown = await response.json()
  if (response.ok) return body as Body
  const { detail } = body as { readonly detail?: string }
  throw new Error(detail ?? `${path} answered ${response.status}`)
}
