import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { systemClock } from '../core/index.ts'

/**
 * A certificate that a key signs for itself, for whoever has not brought another: TLS works at once, and no client
 * takes it for anybody. Written out in DER, since Node reads certificates but makes none.
 * Source: RFC 5280, 4.1; X.690 for the encoding.
 *
 *     Certificate    = { TBSCertificate, ecdsa-with-SHA256, BIT STRING signature }
 *     TBSCertificate = { [0] version 3, serial, algorithm, issuer, validity, subject, public key, [3] extensions }
 */
export function selfSigned(name: string): { readonly cert: string; readonly key: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const subject = sequence(set(sequence(objectId(COMMON_NAME), der(UTF8_STRING, Buffer.from(name)))))
  const algorithm = sequence(objectId(ECDSA_WITH_SHA256))
  const content = sequence(
    der(EXPLICIT, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    subject,
    sequence(time(systemClock.now() - DAY_MS), time(systemClock.now() + 3_650 * DAY_MS)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(EXPLICIT + 3, sequence(sequence(objectId(SUBJECT_ALT_NAME), der(OCTET_STRING, alternativeNames(name))))),
  )
  const signature = sign('sha256', content, privateKey)
  const certificate = sequence(content, algorithm, der(BIT_STRING, Buffer.concat([Buffer.from([0]), signature])))
  return { cert: pem(certificate), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

const DAY_MS = 86_400_000

const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OBJECT_ID = 0x06
const UTF8_STRING = 0x0c
const UTC_TIME = 0x17
const SEQUENCE = 0x30
const SET = 0x31
const DNS_NAME = 0x82
const EXPLICIT = 0xa0

/** 2.5.4.3, 2.5.29.17 and 1.2.840.10045.4.3.2, as they are encoded. */
const COMMON_NAME = '550403'
const SUBJECT_ALT_NAME = '551d11'
const ECDSA_WITH_SHA256 = '2a8648ce3d040302'

function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content])
  const size = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

const sequence = (...parts: readonly Buffer[]) => der(SEQUENCE, Buffer.concat(parts))
const set = (content: Buffer) => der(SET, content)
const integer = (content: Buffer) => der(INTEGER, content)
const objectId = (encoded: string) => der(OBJECT_ID, Buffer.from(encoded, 'hex'))
const alternativeNames = (name: string) => sequence(der(DNS_NAME, Buffer.from(name)))

/** `261125193000Z`: years are 20xx until 2050. */
function time(atMs: number): Buffer {
  return der(
    UTC_TIME,
    Buffer.from(
      `${new Date(atMs)
        .toISOString()
        .slice(2)
        .replace(/[-:T]|\..*/g, '')}Z`,
    ),
  )
}

function pem(certificate: Buffer): string {
  const lines = certificate.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`
}
