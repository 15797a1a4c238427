import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { newId } from 'groundswell'
import { openPostOffice, type PostOffice } from './post-office.ts'
import { type SmtpSink, startSmtpSink } from './smtp-sink-fixture.ts'

let sink: SmtpSink
let postOffice: PostOffice

before(async () => {
  sink = await startSmtpSink()
  postOffice = openPostOffice(sink.url)
})

after(() => sink.stop())

const letter = { to: 'ada@example.com', subject: 'We have your order', body: 'Hello Ada,\n\nthank you.\n' }
const acceptedAs = (id: string) => sink.accepted.filter(({ messageId }) => messageId === `<${id}@shop.example>`)

test('a letter becomes one mail, whose Message-ID is made from its id', async () => {
  const id = newId()
  await postOffice.send(id, letter)
  assert.deepEqual(acceptedAs(id), [{ messageId: `<${id}@shop.example>`, to: letter.to, subject: letter.subject }])
})

test('letters sent at once arrive once each', async () => {
  const ids = Array.from({ length: 20 }, () => newId())
  await Promise.all(ids.map((id) => postOffice.send(id, letter)))
  for (const id of ids) assert.equal(acceptedAs(id).length, 1)
})

test('a letter whose connection was cut is sent again under the same Message-ID', async () => {
  const id = newId()
  sink.dropNext(1)
  await assert.rejects(postOffice.send(id, letter))
  await postOffice.send(id, letter)
  assert.deepEqual(
    [...sink.dropped, ...acceptedAs(id)].map(({ messageId }) => messageId),
    [`<${id}@shop.example>`, `<${id}@shop.example>`],
  )
})

test('a mail server that does not listen fails the letter', async () => {
  await assert.rejects(openPostOffice('smtp://127.0.0.1:1').send(newId(), letter), { code: /^E(CONNECTION|SOCKET)/ })
})
