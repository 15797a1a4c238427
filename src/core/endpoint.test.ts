import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { endpoints } from './endpoint.ts'

const at = endpoints('member-service')

test('params whose names are not those of the path are refused where the endpoint is declared', () => {
  const params = z.object({ id: z.string() })
  assert.throws(() => at.get('/members/:memberId', { params, replies: {} }), {
    message:
      'member-service: GET /members/:memberId has no :id, which its params have, and has :memberId, which its params lack',
  })
  assert.throws(() => at.put('/members', { params: z.strictObject({ id: z.string() }), replies: {} }), {
    message: 'member-service: PUT /members has no :id, which its params have',
  })
  assert.throws(() => at.get('/members/:id/loans/:loanId', { params, replies: {} }), {
    message: 'member-service: GET /members/:id/loans/:loanId has :loanId, which its params lack',
  })
})

test('params that fit, that take any name, or that tell no names are accepted', () => {
  const path = '/members/:id'
  const accepted = [
    undefined,
    z.object({ id: z.string() }),
    z.object({ id: z.string() }).refine(({ id }) => id !== '0'),
    z.looseObject({}),
    z.object({ id: z.string() }).transform(({ id }) => id),
    z.record(z.string(), z.string()),
  ]
  for (const params of accepted) {
    assert.equal(at.get(path, { ...(params !== undefined && { params }), replies: {} }).path, path)
  }
})

test('a GET with a body is refused: no service would read it', () => {
  assert.throws(() => at.get('/members', { body: z.object({}), replies: {} }), {
    message: 'member-service: GET /members has a body, which services do not read of a GET: use its query, or POST',
  })
})
