import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { everywhere, guarded, type Place } from './plugin-fixture.ts'

async function watching(context: TestContext, settings: Record<string, unknown> = {}, place: Place = 'in process') {
  const gateway = await guarded(context, { place })
  gateway.plug('bot-detection', settings)
  const as = async (agent: string) => (await gateway.send('/', { headers: { 'user-agent': agent } })).status
  return { ...gateway, as }
}

const CRAWLERS = [
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
  'Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)',
  'Mozilla/5.0 (compatible; YandexBot/3.0)',
  'Baiduspider+(+http://www.baidu.com/search/spider.htm)',
  'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
  'Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)',
  'ia_archiver (+http://www.alexa.com/site/help/webmasters)',
  'SomeCrawler/1.0',
]

const PEOPLE = [
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36',
  'curl/8.5.0',
  'my-robotics-app/2.0',
]

everywhere('crawlers are kept out, people and programs are not', async (context, place) => {
  const { as, send } = await watching(context, {}, place)
  for (const agent of CRAWLERS) assert.equal(await as(agent), 403, agent)
  for (const agent of PEOPLE) assert.equal(await as(agent), 200, agent)
  assert.equal((await send('/')).status, 200)
  const answer = await send('/', { headers: { 'user-agent': String(CRAWLERS[0]) } })
  assert.equal(JSON.parse(answer.body).message, 'Forbidden')
})

test('what is allowed goes before what is denied', async (context) => {
  const { as } = await watching(context, { allow: ['^Googlebot/'], deny: ['curl', 'Google'] })
  assert.deepEqual([await as('Googlebot/2.1'), await as('curl/8.5.0'), await as('bingbot/2.0')], [200, 403, 403])
})

test('a request may name one agent only', async (context) => {
  const { send } = await watching(context)
  const answer = await send('/', { headers: { 'user-agent': ['curl/8', 'Googlebot/2.1'] } })
  assert.deepEqual([answer.status, JSON.parse(answer.body).message], [400, 'Only one User-Agent header allowed'])
})

test('what is no regular expression is refused', async (context) => {
  const { plug } = await guarded(context)
  assert.throws(() => plug('bot-detection', { deny: ['('] }), /not a valid regex: \(/)
})
