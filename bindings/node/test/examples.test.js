'use strict'
// The programs in examples/node, as real processes.

const assert = require('node:assert/strict')
const { mkdtemp, rm } = require('node:fs/promises')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { SUBJECT, it } = require('./helpers')
const { INSTALLED, network, script } = require('./processes')

const CHAT = join(INSTALLED, 'examples/chat.js')
const DISCOVERY = join(INSTALLED, 'examples/discovery.mjs')

function chat(context, entrance) {
  return script(context, [CHAT, SUBJECT, 'listen=127.0.0.1:0', `discovery.bittorrent.bootstrap=${entrance}`,
    'discovery.bittorrent.address=127.0.0.1',
    // Three that look at the same moment may each find one only, and look again later.
    'discovery.lookup_interval=1s'])
}

it('lines typed in one chat appear in the others', async (context) => {
  const entrance = await network(context)
  const [ann, ben, cyd] = [chat(context, entrance), chat(context, entrance), chat(context, entrance)]
  for (const { output } of [ann, ann, ben, ben, cyd, cyd]) assert.match(await output.next(), /^\+ /)
  ann.say('Hello, dudes!')
  for (const { output } of [ben, cyd]) assert.match(await output.next(), /: Hello, dudes!$/)
  ann.hangUp()
  assert.equal(await ann.wait(), 0)
  for (const { output } of [ben, cyd]) assert.match(await output.next(), /^- /)
  ben.child.kill('SIGINT')
  assert.equal(await ben.wait(), 0)
  assert.match(await cyd.output.next(), /^- /)
  for (const { errors } of [ann, ben, cyd]) assert.deepEqual(errors.seen, [])
})

it('programs that share a folder find each other there', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'p2pchan-'))
  context.after(() => rm(folder, { recursive: true }))
  const both = [1, 2].map(() => script(context, [DISCOVERY, folder, SUBJECT, '127.0.0.1:0']))
  for (const { output } of both) assert.match(await output.next(), /^[0-9a-f]{8} says: Hello, dude!$/)
  for (const each of both) assert.deepEqual([await each.wait(), each.errors.seen], [0, []])
})

it('examples that are told nothing say what they take', async (context) => {
  for (const [example, usage] of [[CHAT, 'chat.js SUBJECT'], [DISCOVERY, 'discovery.mjs FOLDER']]) {
    const process = script(context, [example])
    assert.equal(await process.wait(), 1)
    assert.ok((await process.errors.next()).startsWith(`usage: ${usage}`))
  }
})
