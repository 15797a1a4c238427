/**
 * Finds the rows whose literal prefix a path has, in the order in which they were given. One node per character:
 * walking down costs one step per character of the longest prefix that matches, however many rows there are.
 */
export class PrefixTree<Row extends { readonly literal: string }> {
  readonly #root: Node<Row>

  constructor(rows: readonly Row[]) {
    this.#root = { rows: [], next: new Map() }
    const order = new Map(rows.map((row, index) => [row, index]))
    for (const row of rows) nodeOf(this.#root, row.literal).rows.push(row)
    for (const child of this.#root.next.values()) inherit(child, this.#root.rows, order)
  }

  /** Every row whose literal prefix `path` begins with. */
  candidates(path: string): readonly Row[] {
    let node = this.#root
    for (let index = 0; index < path.length; index++) {
      const next = node.next.get(path.charCodeAt(index))
      if (next === undefined) break
      node = next
    }
    return node.rows
  }
}

type Node<Row> = { rows: Row[]; readonly next: Map<number, Node<Row>> }

function nodeOf<Row>(root: Node<Row>, literal: string): Node<Row> {
  let node = root
  for (let index = 0; index < literal.length; index++) {
    const code = literal.charCodeAt(index)
    let next = node.next.get(code)
    if (next === undefined) {
      next = { rows: [], next: new Map() }
      node.next.set(code, next)
    }
    node = next
  }
  return node
}

/**
 * A row of a shorter prefix is a candidate for every longer one too. Nodes without rows of their own share their
 * parent's.
 */
function inherit<Row>(node: Node<Row>, inherited: Row[], order: ReadonlyMap<Row, number>): void {
  const rank = (row: Row) => order.get(row) ?? 0
  node.rows =
    node.rows.length === 0 ? inherited : [...inherited, ...node.rows].sort((left, right) => rank(left) - rank(right))
  for (const child of node.next.values()) inherit(child, node.rows, order)
}
