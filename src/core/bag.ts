/** What a {@link Bag} holds says where in it it is, which only the bag may change. */
export type BagItem = { bagIndex: number }

/**
 * What is under way, in no order: put in and taken out at no cost, each in one bag at a time.
 *
 * A Set does the same, and is slow for objects that come and go by the thousand. It moves into a new table whenever the
 * holes in the old one are many, the old table still names what was in it then and where the new one is, and so, once
 * one of them is among V8's old objects, all later ones and whatever was in them are taken for alive until the next
 * full collection. Nothing then dies young any more.
 */
export class Bag<Item extends BagItem> {
  readonly #items: Item[] = []

  get size(): number {
    return this.#items.length
  }

  add(item: Item): void {
    item.bagIndex = this.#items.push(item) - 1
  }

  /** Whether it was in. */
  delete(item: Item): boolean {
    const { bagIndex } = item
    if (this.#items[bagIndex] !== item) return false
    const last = this.#items.pop()
    if (last === undefined || last === item) return true
    this.#items[bagIndex] = last
    last.bagIndex = bagIndex
    return true
  }

  /** A copy: what is done with the items may take some of them out. */
  all(): readonly Item[] {
    return [...this.#items]
  }
}
