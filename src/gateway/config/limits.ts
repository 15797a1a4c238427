/** Limits of the configuration store and the Admin API, each with its reason. docs/limits.md lists them. */

/** How often a process asks for a newer version: the floor of staleness for one whose notification got lost. */
export const CONFIG_POLL_MS = 1_000

/** Deletions kept for processes that catch up; one that is further behind loads everything anew. */
export const DELETIONS_KEPT = 10_000

/** Largest body that the Admin API reads, in bytes: Kong's is the same order, and certificates fit many times. */
export const ADMIN_BODY_BYTES_MAX = 1_048_576

/** Largest declarative configuration that `POST /config` reads, in bytes: Kong's limit. */
export const CONFIG_BODY_BYTES_MAX = 10_485_760

/** How often the file of a declarative configuration is read, for file systems that announce no changes. */
export const CONFIG_FILE_POLL_MS = 1_000

/** Largest such file, in bytes: as large as what `POST /config` reads, for reading it takes as long. */
export const CONFIG_FILE_BYTES_MAX = 10_485_760

/** Entities of one declarative configuration: aliases can make a small file say any number of them. */
export const DECLARED_ENTITIES_MAX = 200_000

/** Time that a changed file must stay as it is before it counts: whoever writes it in pieces is done by then. */
export const CONFIG_FILE_SETTLE_MS = 50

/** Time that a client may take to send one request. */
export const ADMIN_REQUEST_MS = 30_000

/** Entities on one page of a list: Kong's bounds and default. */
export const PAGE_SIZE_MAX = 1_000
export const PAGE_SIZE_DEFAULT = 100

/** Tags in one filter, as in Kong. */
export const TAGS_MAX = 5

/** Names in one form: Kong reads 1000 and ignores the rest, we refuse. */
export const FORM_NAMES_MAX = 1_000

/** Levels that a form's names may nest; the deepest schema has six. */
export const FORM_DEPTH_MAX = 16

/** Names of one certificate: ten times what authorities put into one, and one page of the store. */
export const CERTIFICATE_NAMES_MAX = 1_000
