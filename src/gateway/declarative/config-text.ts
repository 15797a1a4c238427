import { readFile, stat } from 'node:fs/promises'
import { CONFIG_FILE_BYTES_MAX } from '../config/limits.ts'
import { gatewayError } from '../errors.ts'

/**
 * The text of a configuration file. Throws GATEWAY_CONFIG_INVALID for what is no file, is too large, or is not in
 * UTF-8: read in another encoding, a name or a key would be another one. Throws the system's error for what cannot be
 * read.
 */
export async function readConfigText(path: string): Promise<string> {
  // Asked first, for opening a pipe waits until somebody writes to it.
  const { size } = await regularFile(path)
  if (size > CONFIG_FILE_BYTES_MAX) {
    throw gatewayError('GATEWAY_CONFIG_INVALID', `${path} has ${size} bytes, more than ${CONFIG_FILE_BYTES_MAX}`)
  }
  const bytes = await readFile(path)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw gatewayError('GATEWAY_CONFIG_INVALID', `${path} is not in UTF-8`, { cause })
  }
}

async function regularFile(path: string): Promise<{ readonly size: number }> {
  const found = await stat(path)
  if (!found.isFile()) throw gatewayError('GATEWAY_CONFIG_INVALID', `${path} is no file`)
  return found
}
