import { randomBytes, type ScryptOptions, scrypt, scryptSync, timingSafeEqual } from 'node:crypto'

/**
 * Passwords as they are stored. Kong keeps a salted SHA-1, which a stolen database gives away in minutes; here it is
 * scrypt. Grammar: `$scrypt$ln=14,r=8,p=1$` salt `$` hash, both base64 without padding.
 * Source: RFC 7914; the format is that of the Password Hashing Competition.
 */
const COST_LOG2 = 14
const PARAMETERS = `$scrypt$ln=${COST_LOG2},r=8,p=1$`
const OPTIONS: ScryptOptions = { N: 2 ** COST_LOG2, r: 8, p: 1 }
const SALT_BYTES = 16
const HASH_BYTES = 32
const STORED = /^\$scrypt\$ln=14,r=8,p=1\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/

/** The password's hash under a new salt; what is a stored password already stays, so that an export can be imported. */
export function storedPassword(password: string): string {
  if (STORED.test(password)) return password
  const salt = randomBytes(SALT_BYTES)
  const hash = scryptSync(password, salt, HASH_BYTES, OPTIONS)
  return `${PARAMETERS}${unpadded(salt)}$${unpadded(hash)}`
}

/** Whether this is the password that was stored. Takes tens of milliseconds, not on the event loop. */
export async function isPassword(password: string, stored: string): Promise<boolean> {
  const [, salt = '', hash = ''] = STORED.exec(stored) ?? []
  if (salt === '') return false
  const given = await derive(password, Buffer.from(salt, 'base64'))
  return timingSafeEqual(given, Buffer.from(hash, 'base64'))
}

function derive(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, HASH_BYTES, OPTIONS, (error, hash) => (error === null ? resolve(hash) : reject(error)))
  })
}

const unpadded = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '')
