/** A configuration as JSON has it. It is never changed, only made anew. */
export type Tree = Readonly<Record<string, unknown>>

export function isRecord(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function valueAt(tree: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => (isRecord(value) ? value[name] : undefined), tree)
}

export function withValue(tree: Tree, path: readonly string[], value: unknown): Tree {
  const [name, ...rest] = path
  if (name === undefined) return tree
  const inner = tree[name]
  return { ...tree, [name]: rest.length === 0 ? value : withValue(isRecord(inner) ? inner : {}, rest, value) }
}

/**
 * What turns `before` into `after` when it is merged as the Admin API merges a PATCH: records field by field, lists
 * whole, null for what is gone. Undefined when nothing differs.
 */
export function changesOf(before: Tree, after: Tree): Tree | undefined {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  const changes = [...names].flatMap((name): (readonly [string, unknown])[] => {
    const [old, now] = [before[name] ?? null, after[name] ?? null]
    if (isRecord(old) && isRecord(now)) {
      const inner = changesOf(old, now)
      return inner === undefined ? [] : [[name, inner]]
    }
    return JSON.stringify(old) === JSON.stringify(now) ? [] : [[name, now]]
  })
  return changes.length === 0 ? undefined : Object.fromEntries(changes)
}

/** A refusal's message with the path of its field. */
export type FieldError = { readonly path: readonly string[]; readonly message: string }

/**
 * The messages of the Admin API's `fields`, which mirrors the entity; `@entity` is about the whole of where it stands.
 * Items of lists are told by their number, from 1.
 */
export function fieldErrors(fields: unknown, path: readonly string[] = []): readonly FieldError[] {
  if (typeof fields === 'string') return [{ path, message: fields }]
  if (Array.isArray(fields)) {
    return fields.flatMap((error, index) =>
      fieldErrors(error).map(({ path: inner, message }) => {
        return { path, message: `${index + 1}${inner.map((name) => `.${name}`).join('')}: ${message}` }
      }),
    )
  }
  if (!isRecord(fields)) return []
  return Object.entries(fields).flatMap(([name, error]) => {
    if (name === '@entity' && Array.isArray(error)) return error.map((message) => ({ path, message: String(message) }))
    return fieldErrors(error, [...path, name])
  })
}

/** Those of one field; of a control that edits a whole value, also what is inside of it. */
export function errorsAt(errors: readonly FieldError[], path: readonly string[], isWhole = false): readonly string[] {
  const isAt = (error: FieldError) =>
    path.every((name, index) => error.path[index] === name) && (isWhole || error.path.length === path.length)
  return errors.filter(isAt).map((error) => {
    const inner = error.path.slice(path.length)
    return inner.length === 0 ? error.message : `${inner.join('.')}: ${error.message}`
  })
}
