import type { World } from './world.ts'

/** One promise, and how it is looked at. Leaves nothing behind but what the world removes. */
export type Case = readonly [name: string, run: (world: World) => Promise<void>]
