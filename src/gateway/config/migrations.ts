import type { MigrationSet } from '../../data/index.ts'

/** The tables of the configuration, on the home shard. */
export const gatewayMigrations: MigrationSet = {
  owner: 'groundswell.gateway',
  folder: new URL('../migrations/', import.meta.url),
  placement: 'home',
}
