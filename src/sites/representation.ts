import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { BROTLI_QUALITY, COMPRESSED_BYTES_MIN } from './limits.ts'
import { isCompressible } from './media-type.ts'

export type Coding = 'br' | 'gzip'

/** The bytes of a file in one coding, with the strong validator of exactly these bytes. */
export type Encoded = { readonly bytes: Buffer; readonly etag: string; readonly coding?: Coding }

/** A file as clients may get it: plain, and compressed where that is smaller. */
export type Representation = {
  readonly mediaType: string
  /** Unix epoch milliseconds, in whole seconds as HTTP has it; undefined for what is made while it is asked for. */
  readonly modifiedAtMs: number | undefined
  readonly plain: Encoded
  /** In order of preference. */
  readonly compressed: readonly (Encoded & { readonly coding: Coding })[]
}

export type FileContent = {
  readonly bytes: Buffer
  readonly mediaType: string
  /** Unix epoch milliseconds. */
  readonly modifiedAtMs?: number
}

const compress: Readonly<Record<Coding, (bytes: Buffer) => Promise<Buffer>>> = {
  br: (bytes) =>
    promisify(brotliCompress)(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
        [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
  gzip: (bytes) => promisify(gzip)(bytes, { level: constants.Z_BEST_COMPRESSION }),
}

/** Compresses once, at the start: requests then only choose. */
export async function representationOf(content: FileContent): Promise<Representation> {
  const plain = uncompressed(content)
  if (!isCompressible(content.mediaType) || content.bytes.length < COMPRESSED_BYTES_MIN) return plain
  const candidates = await Promise.all((['br', 'gzip'] as const).map((coding) => encode(content.bytes, coding)))
  return { ...plain, compressed: candidates.filter(({ bytes }) => bytes.length < content.bytes.length) }
}

/** For what is small, or made while it is asked for. */
export function uncompressed({ bytes, mediaType, modifiedAtMs }: FileContent): Representation {
  return {
    mediaType,
    modifiedAtMs: modifiedAtMs === undefined ? undefined : Math.floor(modifiedAtMs / 1_000) * 1_000,
    plain: { bytes, etag: `"${digestOf([bytes])}"` },
    compressed: [],
  }
}

async function encode(bytes: Buffer, coding: Coding) {
  const encoded = await compress[coding](bytes)
  return { bytes: encoded, etag: `"${digestOf([encoded])}"`, coding }
}

/** 16 characters of the URL alphabet, 96 bits: the same bytes have the same digest in every process. */
export function digestOf(parts: Iterable<Buffer | string>): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('base64url').slice(0, 16)
}
