import { isAlias, isMap, LineCounter, parseDocument } from 'yaml'

/** Aliases that one document may expand: enough to share settings, too few to fill the memory. */
const ALIASES_MAX = 1_000

/**
 * Reads YAML, and with it JSON, whose outermost value is a map. Keys that are merged in (`<<`) are, since Kong's files
 * may have them. Throws an error that says where and why in one line, without the text, which may be a secret.
 */
export function parseYamlMap(text: string): Readonly<Record<string, unknown>> {
  // Its warnings quote the text.
  const document = parseDocument(text, { lineCounter: new LineCounter(), merge: true, logLevel: 'error' })
  const [error] = document.errors
  if (error !== undefined) throw new Error(error.message.split('\n')[0])
  if (!isMap(document.contents) || isAlias(document.contents)) throw new Error('expected an object')
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX })
  } catch (cause) {
    throw new Error('its aliases cannot be expanded: they are too many, or go round in circles', { cause })
  }
}
