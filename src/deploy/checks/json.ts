/** Reading of values whose shape nobody has promised: files that people may have changed. */

export type Json = Readonly<Record<string, unknown>>

/** What is at a path like `spec.template.spec`; undefined where it leads nowhere. */
export function at(value: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((inner, key) => (isObject(inner) ? inner[key] : undefined), value)
}

export function textAt(value: unknown, path: string): string | undefined {
  const found = at(value, path)
  return typeof found === 'string' ? found : undefined
}

export function numberAt(value: unknown, path: string): number | undefined {
  const found = at(value, path)
  return typeof found === 'number' ? found : undefined
}

export function objectAt(value: unknown, path: string): Json {
  const found = at(value, path)
  return isObject(found) ? found : {}
}

/** The objects of a list; none where there is no list. */
export function itemsAt(value: unknown, path: string): readonly Json[] {
  const found = at(value, path)
  return Array.isArray(found) ? found.filter(isObject) : []
}

export function textsAt(value: unknown, path: string): readonly string[] {
  const found = at(value, path)
  return Array.isArray(found) ? found.filter((item) => typeof item === 'string') : []
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether everything that `part` says, `whole` says too; an empty selector selects nothing that was meant. */
export function isWithin(part: Json, whole: Json): boolean {
  const entries = Object.entries(part)
  return entries.length > 0 && entries.every(([key, value]) => whole[key] === value)
}

const UNITS: Readonly<Record<string, number>> = {
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
}

/** A quantity of Kubernetes as a number: `100m` is 0.1, `128Mi` is 134,217,728. Undefined when it is none. */
export function quantity(value: unknown): number | undefined {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(String(value)) ?? []
  const scale = unit === '' ? 1 : UNITS[unit]
  return digits === undefined || scale === undefined ? undefined : Number(digits) * scale
}
