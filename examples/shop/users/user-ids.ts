import type { Cluster } from 'groundswell'

/**
 * User ids come from one sequence on the home shard, in blocks, so that signing up asks it once in fifty times. A
 * process that ends leaves a gap, which nobody minds.
 */
const BLOCK_SIZE = 50

type Block = { ids: number[]; refill: Promise<void> | undefined }

const blocks = new WeakMap<Cluster, Block>()

export async function nextUserId(data: Cluster): Promise<number> {
  const block = blocks.get(data) ?? { ids: [], refill: undefined }
  blocks.set(data, block)
  for (;;) {
    const id = block.ids.shift()
    if (id !== undefined) return id
    // Everyone who finds the block empty waits for the same refill.
    block.refill ??= refill(data, block).finally(() => {
      block.refill = undefined
    })
    await block.refill
  }
}

async function refill(data: Cluster, block: Block): Promise<void> {
  const rows = await data.home.query<{ id: number }>(NEXT_BLOCK, [BLOCK_SIZE])
  block.ids.push(...rows.map((row) => row.id))
}

const NEXT_BLOCK = `SELECT nextval('users.user_id') AS id FROM generate_series(1, $1::int)`
