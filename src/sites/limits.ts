/** Limits of sites, each with its reason. */

/** Bytes of one site's files: they are kept in memory, three times over where they compress. */
export const SITE_BYTES_MAX = 33_554_432

/** Files of one site: far beyond what people write by hand, and read within a second at the start. */
export const SITE_FILES_MAX = 2_000

/** Seconds that browsers and CDNs keep a versioned asset: a year, the longest that caches honour. */
export const ASSET_MAX_AGE_SECONDS = 31_536_000

/** Bytes from which compression pays: what is smaller fits into one packet anyway. */
export const COMPRESSED_BYTES_MIN = 1_024

/** Brotli's level: of 11, nearly as small, and ten times as fast, so that a start does not wait for it. */
export const BROTLI_QUALITY = 9
