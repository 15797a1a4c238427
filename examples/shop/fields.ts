import { z } from 'zod'

/** The fields that several services of the shop have in common, each with its bounds. */

export const UserId = z.int().min(1)

/** A user id in a path: digits only. */
export const UserIdText = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a user id')
  .transform(Number)
  .pipe(UserId)

export const Sku = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be 1 to 64 letters, digits, ".", "_", "-"')

export const Email = z.string().trim().toLowerCase().max(254).pipe(z.email())

export const PriceCents = z.int().min(0).max(1_000_000_000)

export const StockCount = z.int().min(0).max(1_000_000_000)

/** Text of one line: no control characters, of which one (NUL) no database stores. */
export const line = (charactersMax: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(charactersMax)
    .regex(/^\P{Cc}*$/u, 'must not hold control characters')

/** SKUs in a query, separated by commas. */
export const SkuList = z
  .string()
  .max(4_096)
  .transform((text) => text.split(','))
  .pipe(z.array(Sku).min(1).max(50))
