import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bag } from './bag.ts'

const itemsNamed = (...names: readonly string[]) => names.map((name) => ({ name, bagIndex: -1 }))
const namesIn = (bag: Bag<{ name: string; bagIndex: number }>) =>
  bag
    .all()
    .map(({ name }) => name)
    .sort()
    .join('')

test('what is taken out of a bag leaves the others in it, whatever the order', () => {
  const bag = new Bag<{ name: string; bagIndex: number }>()
  const [a, b, c, d] = itemsNamed('a', 'b', 'c', 'd')
  assert.ok(a && b && c && d)
  for (const item of [a, b, c, d]) bag.add(item)
  bag.delete(b)
  assert.deepEqual([bag.size, namesIn(bag)], [3, 'acd'])
  bag.delete(d)
  bag.add(b)
  bag.delete(a)
  assert.deepEqual([bag.size, namesIn(bag)], [2, 'bc'])
})

test('taking out what is not in a bag changes nothing', () => {
  const bag = new Bag<{ name: string; bagIndex: number }>()
  const [a, b] = itemsNamed('a', 'b')
  assert.ok(a && b)
  bag.add(a)
  bag.delete(b)
  bag.delete(a)
  bag.delete(a)
  assert.equal(bag.size, 0)
  bag.add(b)
  bag.delete(a)
  assert.equal(namesIn(bag), 'b')
})
