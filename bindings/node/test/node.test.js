'use strict'
// What a node can be asked and told: events, signals, newcomers, services, settings.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { once } = require('node:events')
const { setImmediate: turn } = require('node:timers/promises')
const { Node } = require('p2pchan')
const { SUBJECT, closed, it, listening, pair, take } = require('./helpers')

/** Two nodes that have started, and that are closed when the test is over. */
async function two(context, settings, options) {
  const nodes = [listening(settings, options), listening()]
  context.after(() => Promise.all(nodes.map((node) => node.close())))
  for (const node of nodes) await node.start()
  return nodes
}

it('remotes wait for a listener, and for await takes those that nobody listens for', async (context) => {
  const [near, far] = await two(context)
  for (const node of [near, far]) node.discover(SUBJECT)
  await far.connect(near.addresses[0])
  while (near.remotes().length === 0) await turn()
  const opened = once(near, 'remote')
  const [remote] = await opened
  assert.equal(remote.peer, far.id)
  remote.refuse()
  await far.close()
  const other = await listening().start()
  context.after(() => other.close())
  other.discover(SUBJECT)
  other.connect(near.addresses[0])
  for await (const next of near) {
    assert.equal(next.peer, other.id)
    break
  }
})

it('beyond limits.waiting newcomers are refused', async (context) => {
  const [near] = await two(context, { limits: { waiting: 1 } })
  near.discover(SUBJECT)
  const others = await Promise.all([1, 2].map(() => listening().start()))
  context.after(() => Promise.all(others.map((node) => node.close())))
  const remotes = []
  for (const other of others) {
    other.discover(SUBJECT)
    remotes.push(await other.connect(near.addresses[0]))
  }
  const [, second] = remotes
  await closed(second)
  assert.equal(second.reason.code, 'ERR_P2PCHAN_REFUSED')
  assert.equal(near.remotes().length, 1)
})

it('a remote that was connected to is not told of as well', async (context) => {
  const [near, far] = await two(context)
  for (const node of [near, far]) node.discover(SUBJECT)
  let told = 0
  far.on('remote', () => { told++ })
  const [remote] = await Promise.all([far.connect(near.addresses[0]), once(near, 'remote')])
  remote.send('hello')
  assert.equal(told, 0)
  assert.deepEqual(far.remotes(), [remote])
})

it('discoveries before the start begin with it, and can be stopped before', async (context) => {
  const [near] = await two(context)
  near.discover(SUBJECT)
  const late = listening()
  context.after(() => late.close())
  const first = late.discover(SUBJECT)
  const second = late.discover('another subject')
  const third = late.discoverTopic(Buffer.alloc(32, 7))
  const again = late.discover(SUBJECT)
  second.stop()
  await assert.rejects(second.flushed(), { code: 'ERR_P2PCHAN_CLOSED' })
  await late.start()
  await Promise.all([first.flushed(), third.flushed(), again.flushed()])
  assert.equal(late.status().subjects.length, 2)
  assert.deepEqual([first.subject, third.subject], [SUBJECT, '07'.repeat(32)])
  third.stop()
  late.stopDiscover(SUBJECT)
  assert.equal(late.status().subjects.length, 0)
})

it('with a secret, or for a topic, only those who have the same get a remote', async (context) => {
  const [near, far] = await two(context)
  near.discover(SUBJECT, 'secret')
  far.discover(SUBJECT)
  await assert.rejects(far.connect(near.addresses[0]), { code: 'ERR_P2PCHAN_AUTH' })
  far.stopDiscover(SUBJECT)
  far.discover(SUBJECT, 'secret')
  near.discoverTopic(Buffer.alloc(32, 1))
  far.discoverTopic(new Uint8Array(32).fill(1).buffer)
  await far.connect(near.addresses[0])
})

it('a signal ends the wait', async (context) => {
  const [near, far] = await two(context)
  // Somebody who never answers.
  const server = net.createServer(() => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => { server.close() })
  far.discover(SUBJECT)
  const silent = `tcp://127.0.0.1:${server.address().port}`
  const controller = new AbortController()
  const dialling = far.connect(silent, { signal: controller.signal })
  controller.abort(new Error('enough'))
  await assert.rejects(dialling, { message: 'enough' })
  const { signal } = controller
  const calls = [
    () => far.connect(silent, { signal }), () => far.update({}, { signal }), () => far.reload({ signal }),
    () => far.discover(SUBJECT).flushed({ signal }), () => listening().start({ signal })
  ]
  for (const call of calls) await assert.rejects(call(), { message: 'enough' })
  await assert.rejects(near.close({ signal: AbortSignal.abort() }), { name: 'AbortError' })
  await near.close()
})

it('a refuse hook decides, at once or later, and refuses if it throws', async (context) => {
  const asked = []
  const answers = [true, Promise.resolve(true), false]
  const errors = []
  const hook = (newcomer) => {
    asked.push(newcomer)
    if (asked.length > answers.length) throw new Error('on purpose')
    return answers[asked.length - 1]
  }
  const [near, far] = await two(context, {}, { refuse: hook })
  near.on('error', (error) => { errors.push(error.message) })
  for (const node of [near, far]) node.discover(SUBJECT)
  const refused = { code: 'ERR_P2PCHAN_REFUSED' }
  await assert.rejects(far.connect(near.addresses[0]), refused)
  await assert.rejects(far.connect(near.addresses[0]), refused)
  const remote = await far.connect(near.addresses[0])
  remote.destroy()
  await far.close()
  const other = await listening().start()
  context.after(() => other.close())
  other.discover(SUBJECT)
  await assert.rejects(other.connect(near.addresses[0]), refused)
  assert.deepEqual(errors, ['on purpose'])
  assert.deepEqual(Object.keys(asked[0]), ['address', 'peer', 'subject'])
  assert.deepEqual([asked[0].peer, asked[0].subject, asked[3].peer], [far.id, SUBJECT, other.id])
})

it('events have the names of docs/status.md, and come while somebody listens', async (context) => {
  const node = listening()
  context.after(() => node.close())
  const listeningTold = once(node, 'listening')
  await node.start()
  assert.deepEqual((await listeningTold)[0], { address: node.addresses[0] })
  const stats = once(node, 'stats')
  const announced = once(node, 'dial_failed')
  node.discover(SUBJECT)
  assert.equal(typeof (await stats)[0].uptime_seconds, 'number')
  await assert.rejects(node.connect('tcp://127.0.0.1:1'), { code: 'ERR_P2PCHAN_IO' })
  assert.equal((await announced)[0].address, 'tcp://127.0.0.1:1')
  const over = once(node, 'close')
  await node.close()
  await over
})

it('a service of the program finds others: plain, by a promise, one after the other', async (context) => {
  const near = await listening().start()
  context.after(() => near.close())
  near.discover(SUBJECT)
  const ways = {
    plain: () => near.addresses,
    promise: async () => new Set(near.addresses),
    generator: async function * () { yield * near.addresses }
  }
  for (const [name, lookUp] of Object.entries(ways)) {
    const topics = []
    const service = {
      name,
      lookUp(topic) {
        topics.push(topic)
        assert.equal(this, service)
        return lookUp()
      }
    }
    const far = new Node().addDiscoveryService(service)
    far.discover(SUBJECT)
    const opened = once(far, 'remote')
    await far.start()
    const [remote] = await opened
    assert.equal(remote.peer, near.id)
    assert.deepEqual([topics[0].subject, topics[0].findKey.length, topics[0].addresses], [SUBJECT, 32, []])
    await far.close()
  }
})

it('a service that fails is told of, and one that never ends is given up', async (context) => {
  const signals = []
  const node = listening()
    .addDiscoveryService({ name: 'failing', announce: () => { throw new Error('on purpose') } })
    .addDiscoveryService({ name: 'endless', announce: (_, { signal }) => new Promise(() => { signals.push(signal) }) })
    .addDiscoveryService({
      name: 'searching',
      async * lookUp(_, { signal }) {
        signals.push(signal)
        await new Promise(() => {})
        yield ''
      }
    })
    .addDiscoveryService({ name: 'wrong', lookUp: () => 'one text' })
  context.after(() => node.close())
  const told = new Map()
  const errors = []
  node.on('error', (error) => { errors.push(error.message) })
  const both = new Promise((resolve) => {
    node.on('discovery_failed', ({ source, code, error }) => {
      told.set(source, [code, error])
      if (told.size === 2) resolve()
    })
  })
  node.discover(SUBJECT)
  await node.start()
  await both
  assert.deepEqual(told.get('failing'), ['INTERNAL', 'Error: on purpose'])
  assert.match(told.get('wrong')[1], /lookUp returns must be an iterable/)
  assert.ok(errors.includes('on purpose'))
  while (signals.length < 2) await turn()
  await node.close()
  assert.ok(signals.every((signal) => signal.aborted))
})

it('settings change while the node runs, and come from a file', async (context) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'p2pchan-'))
  context.after(() => { fs.rmSync(folder, { recursive: true }) })
  const file = path.join(folder, 'settings.toml')
  fs.writeFileSync(file, 'listen = "tcp://127.0.0.1:0"\n')
  const node = await new Node({}, { settingsFile: file }).start()
  context.after(() => node.close())
  assert.equal(node.addresses.length, 1)
  fs.writeFileSync(file, 'limits.waiting = 7\n')
  await node.reload()
  assert.deepEqual(node.addresses, [])
  assert.equal(node.status().settings['limits.waiting'], 7)
  await node.update({ listen: ['tcp://127.0.0.1:0', 'quic://127.0.0.1:0'] })
  assert.equal(node.addresses.length, 2)
  await node.update({ listen: null })
  assert.deepEqual(node.addresses, [])
  assert.equal(node.status().node.id, node.id)
  assert.equal(node.explain('tcp://127.0.0.1:1').known, false)
  fs.writeFileSync(file, 'listn = []\n')
  await assert.rejects(node.reload(), { code: 'ERR_P2PCHAN_SETTINGS', message: /listn/ })
})

it('an address that cannot be opened is named, and the node is over', async (context) => {
  const [near] = await two(context)
  const other = new Node({ listen: near.addresses })
  const over = once(other, 'close')
  await assert.rejects(other.start(), { code: 'ERR_P2PCHAN_IO', message: /listen/ })
  await over
  await other.close()
})

it('remotes over QUIC are the same', async (context) => {
  const { here, there } = await pair(context, { listen: 'quic://127.0.0.1:0' })
  assert.deepEqual([here.transport, there.transport], ['quic', 'quic'])
  const values = [Buffer.alloc(500_000, 3), { yo: 'ppl' }, 'text']
  for (const value of values) here.send(value)
  assert.deepStrictEqual(await take(there, 3), values)
  assert.ok(there.rtt === null || there.rtt > 0)
})
