/**
 * Finds the rows whose literal prefix a path has, in the order in which they were given. A radix tree: nodes stand
 * where prefixes end or part, so that walking down takes a few steps, however many rows there are.
 */
export class PrefixTree<Row extends { readonly literal: string }> {
  readonly #root: Node<Row>

  constructor(rows: readonly Row[]) {
    this.#root = nodeFor('')
    const order = new Map(rows.map((row, index) => [row, index]))
    for (const row of rows) nodeOf(this.#root, row.literal).rows.push(row)
    compress(this.#root)
    for (const child of this.#root.next.values()) inherit(child, this.#root.rows, order)
  }

  /** Every row whose literal prefix `path` begins with. */
  candidates(path: string): readonly Row[] {
    let node = this.#root
    for (let index = 0; index < path.length; index += node.label.length) {
      const next = node.next.get(path.charCodeAt(index))
      if (next === undefined || !path.startsWith(next.label, index)) break
      node = next
    }
    return node.rows
  }
}

/** `label`: the characters on the way here from the node above. */
type Node<Row> = { label: string; rows: Row[]; next: Map<number, Node<Row>> }

function nodeFor<Row>(label: string): Node<Row> {
  return { label, rows: [], next: new Map() }
}

/** One node per character, at first. */
function nodeOf<Row>(root: Node<Row>, literal: string): Node<Row> {
  let node = root
  for (let index = 0; index < literal.length; index++) {
    const code = literal.charCodeAt(index)
    const next = node.next.get(code) ?? nodeFor<Row>(literal.charAt(index))
    node.next.set(code, next)
    node = next
  }
  return node
}

/** Joins chains of nodes at which no row's prefix ends. */
function compress<Row>(node: Node<Row>): void {
  for (const child of node.next.values()) {
    while (child.rows.length === 0 && child.next.size === 1) {
      for (const only of child.next.values()) {
        child.label += only.label
        child.rows = only.rows
        child.next = only.next
      }
    }
    compress(child)
  }
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
