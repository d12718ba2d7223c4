'use strict'
// What is closed and forgotten is gone: objects, memory, descriptors, threads.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const v8 = require('node:v8')
const vm = require('node:vm')
const { once } = require('node:events')
const { setImmediate: turn } = require('node:timers/promises')
const { Node } = require('p2pchan')
const { SUBJECT, closed, it, listening, pair, take } = require('./helpers')

v8.setFlagsFromString('--expose-gc')
const gc = vm.runInNewContext('gc')

/** Collects garbage until this is so; the test's deadline ends it otherwise. */
async function collected(isSo) {
  do {
    for (let turns = 0; turns < 10; turns++) await turn()
    gc()
  } while (!isSo())
}

const descriptors = () => fs.readdirSync('/proc/self/fd').length
const threads = () => fs.readdirSync('/proc/self/task')
  .filter((task) => fs.readFileSync(`/proc/self/task/${task}/comm`, 'utf8').startsWith('p2pchan')).length

/** Two nodes that have talked and closed. */
async function round() {
  const [near, far] = [listening(), listening()]
  for (const node of [near, far]) {
    node.discoverTopic(Buffer.alloc(32, 1))
    await node.start()
  }
  const opened = once(near, 'remote')
  const there = await far.connect(near.addresses[0])
  const [here] = await opened
  here.send(Buffer.alloc(100_000))
  there.send('never read')
  await take(there, 1)
  near.on('stats', () => {})
  await Promise.all([near.close(), far.close()])
  return [near, far, here, there]
}

it('nodes and remotes that are closed and forgotten are collected', async () => {
  const gone = (await round()).map((it) => new WeakRef(it))
  await collected(() => gone.every((it) => it.deref() === undefined))
})

it('a remote that has ended is collected while its node runs', async (context) => {
  const refs = []
  const { near, far } = await (async () => {
    const { near, far, here, there } = await pair(context)
    refs.push(new WeakRef(here), new WeakRef(there))
    here.end()
    await closed(there.resume())
    return { near, far }
  })()
  await collected(() => refs.every((it) => it.deref() === undefined))
  assert.deepEqual([near.remotes(), far.remotes()], [[], []])
})

it('a node that was never started is collected', async () => {
  const gone = (() => [new WeakRef(new Node()), new WeakRef(listening().addDiscoveryService({ name: 'x' }))])()
  await collected(() => gone.every((it) => it.deref() === undefined))
})

it('rounds of nodes leave neither memory nor descriptors nor threads', async () => {
  const measure = () => {
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  for (let rounds = 0; rounds < 20; rounds++) await round()
  await collected(() => threads() === 0)
  const before = [measure(), descriptors()]
  for (let rounds = 0; rounds < 40; rounds++) await round()
  // A round that left its two nodes and remotes would leave more than this.
  await collected(() => threads() === 0 && measure() - before[0] < 40 * 8192 && descriptors() <= before[1])
})

it('ten thousand remotes are opened and closed', async (context) => {
  const topics = [...Array(50).keys()].map((number) => Buffer.alloc(32, number))
  const near = listening()
  context.after(() => near.close())
  let [received, closed, done] = [0, 0]
  /** Sends one message, and reads until the end; some may have ended before the last of them is open. */
  const use = (remote) => {
    remote.on('data', (message) => { received += message })
    remote.on('close', () => { if (++closed % (2 * topics.length) === 0) done() })
    remote.end(1)
  }
  const begin = async (node) => {
    for (const topic of topics) node.discoverTopic(topic)
    node.on('remote', use)
    return node.start()
  }
  await begin(near)
  for (let count = 0; count < 10_000; count += topics.length) {
    const far = await begin(listening())
    const all = new Promise((resolve) => { done = resolve })
    use(await far.connect(near.addresses[0]))
    await all
    await far.close()
  }
  assert.equal(received, 20_000)
  assert.deepEqual(near.remotes(), [])
  assert.equal(near.status().remotes.length, 0)
})

it('messages that are kept keep few others: beyond a cap they have memory of their own', async () => {
  const { index, messageAt, read, WHAT } = require(path.join(path.dirname(require.resolve('p2pchan')), 'lib', 'table.js'))
  // Each table has one short message, and fills its slab.
  const native = {
    dispatch(slab, table, from) {
      slab[from] = 7
      table.set([2, 0, 0, 0, WHAT.BYTES, 0, from, from + 1, WHAT.BYTES, 0, slab.length - 1, slab.length])
    }
  }
  const next = () => {
    read(native)
    const message = messageAt(4)
    messageAt(8)
    return message
  }
  let kept = []
  while (kept.at(-1)?.buffer.byteLength !== 1) {
    kept.push(next())
    assert.ok(kept.length < 4000)
  }
  assert.ok(kept.every((message) => message.length === 1 && message[0] === 7))
  assert.ok(kept.length > 1000, 'garbage alone does not reach the cap')
  assert.equal(index.length, 4 * 1025)
  kept = []
  await collected(() => next().buffer.byteLength > 1)
})

it('long messages have memory of their own', async (context) => {
  const { here, there } = await pair(context)
  here.send(Buffer.alloc(4096, 1))
  here.send(Buffer.alloc(5000, 2))
  for (const message of await take(there, 2)) assert.equal(message.buffer.byteLength, message.length)
  assert.equal(there.subject, SUBJECT)
})
