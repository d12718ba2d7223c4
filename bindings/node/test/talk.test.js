'use strict'
// Two nodes find each other and talk.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { Node } = require('p2pchan')
const { SUBJECT, it, listening, pair, take } = require('./helpers')

const VALUES = [
  Buffer.alloc(0), Buffer.from([0, 255]), Buffer.alloc(300_000, 'x'), '', 'ascii', 'text with \u00e4\u20ac\u{1f600}', 'long '.repeat(30_000),
  '\u00e4'.repeat(50_000), 0, true, false, -1.5, { yo: 'ppl' }, [1, [2.5, null, { a: [] }], 'x'], { long: 'x'.repeat(100_000) }
]

it('two nodes find each other through seeds and talk', async (context) => {
  const first = await listening().start()
  const second = await new Node({ discovery: { seeds: first.addresses } }).start()
  context.after(() => Promise.all([first.close(), second.close()]))
  const both = [once(first, 'remote'), once(second, 'remote')]
  await first.discover(SUBJECT).flushed()
  second.discover(SUBJECT)
  const [[here], [there]] = await Promise.all(both)
  here.send('Hello, dude!')
  assert.deepEqual(await take(there, 1), ['Hello, dude!'])
  assert.deepEqual([here.peer, there.peer], [second.id, first.id])
  assert.deepEqual([here.subject, there.subject], [SUBJECT, SUBJECT])
  assert.deepEqual([there.address, there.transport, there.relayed], [first.addresses[0], 'tcp', false])
})

it('every value arrives as what it is', async (context) => {
  const { here, there } = await pair(context)
  for (const value of VALUES) {
    here.send(value)
    assert.deepStrictEqual(await take(there, 1), [value])
  }
  for (const value of VALUES) here.send(value)
  assert.deepStrictEqual(await take(there, VALUES.length), VALUES)
})
