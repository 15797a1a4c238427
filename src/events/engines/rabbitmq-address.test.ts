import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRabbitMqUrl } from './rabbitmq-address.ts'

test('what an address leaves out is as RabbitMQ has it', () => {
  assert.deepEqual(parseRabbitMqUrl('amqp://localhost'), {
    hosts: [{ hostname: 'localhost', port: 5672 }],
    username: 'guest',
    password: 'guest',
    vhost: '/',
    tls: undefined,
  })
})

test('an address names several nodes, a user, a vhost and TLS', () => {
  assert.deepEqual(parseRabbitMqUrl('amqps://shop:p%40ss%3A@a.example,b.example:5673/flash%2Fsale'), {
    hosts: [
      { hostname: 'a.example', port: 5671 },
      { hostname: 'b.example', port: 5673 },
    ],
    username: 'shop',
    password: 'p@ss:',
    vhost: 'flash/sale',
    tls: {},
  })
})

test('what is no address is refused, and says why', () => {
  for (const [url, message] of [
    ['amqp://', /must be/],
    ['amqp://shop@localhost', /without a password/],
    ['amqp://a:b@local host', /no host:port/],
    ['amqp://a:%zz@localhost', /percent-encoded/],
    ['amqp://localhost?heartbeat=5', /heartbeat is no option/],
    ['amqp://localhost?ca=x', /for amqps/],
    ['amqps://localhost?ca=/no/such/file', /cannot be read/],
  ] as const) {
    assert.throws(() => parseRabbitMqUrl(url), { code: 'EVENTS_BROKER_URL_INVALID', message }, url)
  }
})
