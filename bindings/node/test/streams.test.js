'use strict'
// Remotes are streams: waiting, pausing, ending, failing.

const assert = require('node:assert/strict')
const { spawn } = require('node:child_process')
const net = require('node:net')
const { once } = require('node:events')
const { Readable, Transform, Writable } = require('node:stream')
const { finished, pipeline } = require('node:stream/promises')
const { setImmediate: turn } = require('node:timers/promises')
const { inspect } = require('node:util')
const { MessageChannel } = require('node:worker_threads')
const { P2PChanError } = require('p2pchan')
const { SUBJECT, closed, it, listening, pair, take } = require('./helpers')

/** Remotes, and messages of each: more than three turns of a node bring. */
const [REMOTES, EACH] = [40, 250]

/** As many numbers as that, in their order. */
const counted = (count) => [...Array(count).keys()]

it('messages arrive in order until the peer has ended, however they are read', async (context) => {
  const { near, far, here, there } = await pair(context)
  const arrived = []
  there.on('data', (message) => { arrived.push(message) })
  for (const number of counted(10_000)) here.send(number)
  here.end('the last')
  await once(there, 'end')
  assert.deepEqual(arrived, [...counted(10_000), 'the last'])
  assert.equal(there.reason, null)
  await Promise.all([here, there].map((remote) => closed(remote)))
  assert.deepEqual([near.remotes(), far.remotes()], [[], []])
  assert.equal(here.reason, null)
})

it('bursts that are more than one table holds arrive, and nothing has to come after them', async (context) => {
  const { here, there } = await pair(context)
  for (const length of [1000, 40_000]) {
    const texts = counted(500).map((number) => String(number).padEnd(length))
    let count = 0
    const all = new Promise((resolve) => {
      there.on('data', function take(text) {
        assert.equal(text, texts[count])
        if (++count === texts.length) resolve(there.off('data', take))
      })
    })
    await pipeline(Readable.from(texts), here, { end: false })
    await all
  }
})

it('many remotes of one node talk at once', async (context) => {
  const [near, far] = [listening(), listening()]
  context.after(() => Promise.all([near.close(), far.close()]))
  const remotes = []
  for (const node of [near, far]) {
    await node.start()
    for (const topic of counted(20)) node.discoverTopic(Buffer.alloc(32, topic))
    node.on('remote', (remote) => { remotes.push(remote) })
  }
  remotes.push(await far.connect(near.addresses[0]))
  while (remotes.length < 40) await turn()
  await Promise.all(remotes.map(async (remote) => {
    const arriving = take(remote, 1000)
    await pipeline(Readable.from(counted(1000)), remote, { end: false })
    assert.deepEqual(await arriving, counted(1000))
  }))
})

it('for await gives all messages, and ends when the peer has ended', async (context) => {
  const { here, there } = await pair(context)
  const sending = pipeline(Readable.from(counted(5000)), here)
  const arrived = []
  for await (const message of there) arrived.push(message)
  assert.deepEqual(arrived, counted(5000))
  await sending
})

it('a peer is told that not everything was read', async (context) => {
  for (const leave of [(remote) => remote.destroy(), (remote) => remote[Symbol.asyncDispose]()]) {
    const { here, there } = await pair(context)
    here.send('one')
    // What is written after the peer has ended is not sent, which would be another reason.
    await new Promise((resolve) => { here.write('two', resolve) })
    await Promise.all([closed(here), leave(there)])
    assert.match(here.reason.message, /before reading everything/)
  }
})

it('a remote that nobody reads stops its peer, and nothing is lost', async (context) => {
  const { here, there } = await pair(context)
  const chunk = Buffer.alloc(32 * 1024)
  let sent = 0
  let waits = 0
  const sending = (async () => {
    for (; sent < 400; sent++) {
      chunk.writeUInt32BE(sent)
      if (!here.write(Buffer.from(chunk))) await once(here, 'drain')
    }
  })()
  // Full is what is not taken after the node has told that it is.
  while (waits < 1000) {
    const before = sent
    await turn()
    waits = sent === before ? waits + 1 : 0
  }
  assert.ok(sent < 400, `${sent} were sent`)
  const numbers = (await take(there, 400)).map((message) => message.readUInt32BE())
  assert.deepEqual(numbers, counted(400))
  await sending
})

it('no more is taken from the connection than a stream holds', async (context) => {
  const { here, there } = await pair(context)
  await pipeline(Readable.from(counted(5000)), here, { end: false })
  // The nodes have much to do meanwhile, and time to take what nobody asked for.
  for (const number of counted(500)) {
    there.send(number)
    assert.deepEqual(await take(here, 1), [number])
  }
  assert.ok(there.readableLength <= 256 + 1024, `${there.readableLength} messages are kept`)
  assert.deepEqual(await take(there, 5000), counted(5000))
})

it('a paused remote gives nothing, and everything once it is resumed', async (context) => {
  const { here, there } = await pair(context)
  const arrived = []
  there.on('data', (message) => {
    arrived.push(message)
    if (message % 500 === 0) {
      there.pause()
      turn().then(() => { there.resume() })
    }
  })
  for (const number of counted(3000)) here.send(number)
  here.end()
  await once(there, 'end')
  assert.deepEqual(arrived, counted(3000))
})

it('a listener that comes late gets all, and an end that comes after the messages', async (context) => {
  const { here, there } = await pair(context)
  for (const number of counted(1000)) here.send(number)
  here.end()
  await once(here, 'finish')
  for (let turns = 0; turns < 100; turns++) await turn()
  const arrived = []
  there.on('end', () => { arrived.push('end') })
  there.on('data', (message) => { arrived.push(message) })
  await once(there, 'close')
  assert.deepEqual(arrived, [...counted(1000), 'end'])
})

it('both ways at once', async (context) => {
  const { here, there } = await pair(context)
  const talk = async (remote) => {
    const arriving = take(remote, 3000)
    await pipeline(Readable.from(counted(3000).map((number) => ({ number }))), remote, { end: false })
    assert.deepEqual((await arriving).map(({ number }) => number), counted(3000))
  }
  await Promise.all([talk(here), talk(there)])
})

it('pipe and pipeline work, with back-pressure', async (context) => {
  const { here, there } = await pair(context)
  const upper = new Transform({ objectMode: true, transform: (text, _, done) => { done(null, text.toUpperCase()) } })
  const arrived = []
  const slow = new Writable({
    objectMode: true,
    highWaterMark: 1,
    write: (message, _, done) => {
      arrived.push(message)
      setImmediate(done)
    }
  })
  const receiving = pipeline(there, upper, slow)
  Readable.from(counted(2000).map((number) => `number ${number}`)).pipe(here)
  await receiving
  assert.deepEqual(arrived, counted(2000).map((number) => `NUMBER ${number}`))
})

it('callbacks of write come in order, when it was sent', async (context) => {
  const { here, there } = await pair(context)
  const order = []
  for (const number of counted(200)) here.write(number, () => { order.push(number) })
  await new Promise((resolve) => { here.write('the last', resolve) })
  assert.deepEqual(order, counted(200))
  assert.equal((await take(there, 201)).at(-1), 'the last')
})

it('write answers false beyond a number of messages, and beyond a number of bytes', async (context) => {
  const { here, there } = await pair(context)
  for (const message of ['short', Buffer.alloc(700_000)]) {
    let count = 1
    while (here.write(message)) count++
    assert.ok(count <= (message.length > 100 ? 5 : 64), `${count} messages of ${message.length}`)
    assert.ok(here.writableNeedDrain)
    await Promise.all([once(here, 'drain'), take(there, count)])
    assert.ok(!here.writableNeedDrain)
  }
})

it('corked messages go together', async (context) => {
  const { here, there } = await pair(context)
  here.cork()
  for (const number of counted(50)) here.write(number)
  here.uncork()
  assert.deepEqual(await take(there, 50), counted(50))
})

it('a refused remote ends with the reason, and no listener is needed', async (context) => {
  const { here, there } = await pair(context)
  here.refuse()
  await closed(there)
  assert.equal(there.reason.code, 'ERR_P2PCHAN_REFUSED')
  assert.ok(there.readableEnded)
  assert.equal(there.write('too late'), false)
})

it('the reason is emitted to who listens, thrown by for await and by finished', async (context) => {
  const refused = { code: 'ERR_P2PCHAN_REFUSED' }
  const ways = [
    async (remote) => { throw (await once(remote, 'error').catch((error) => [error]))[0] },
    async (remote) => { for await (const message of remote) assert.equal(message, 'before') },
    async (remote) => finished(remote.resume()),
    async (remote) => pipeline(remote, new Writable({ objectMode: true, write: (_, __, done) => { done() } }))
  ]
  for (const way of ways) {
    const { here, there } = await pair(context)
    here.send('before')
    const ending = assert.rejects(way(there), refused)
    here.refuse()
    there.resume()
    await ending
  }
})

it('what came before the end is read, though sending fails', async (context) => {
  const { far, here, there } = await pair(context)
  for (const number of counted(100)) there.send(number)
  await take(here, 1)
  await far.close()
  const arrived = []
  const echo = async () => {
    for await (const number of here) {
      arrived.push(number)
      here.send(number)
      await turn()
    }
  }
  await assert.rejects(echo(), { code: 'ERR_P2PCHAN_CLOSED' })
  assert.deepEqual(arrived, counted(100).slice(1))
})

it('what cannot be sent any more fails in its callback', async (context) => {
  const { far, here } = await pair(context)
  const written = new Promise((resolve) => {
    const big = Buffer.alloc(1 << 20)
    const write = () => here.write(big, (error) => (error ? resolve(error) : write()))
    write()
  })
  await far.close()
  const error = await written
  assert.ok(error instanceof P2PChanError, error)
})

it('leaving for await ends the remote', async (context) => {
  const { far, here, there } = await pair(context)
  for (const number of counted(10)) here.send(number)
  for await (const number of there) {
    if (number === 5) break
  }
  assert.ok(there.destroyed)
  assert.deepEqual(far.remotes(), [])
  await closed(here.resume())
})

it('await using ends it, and what was sent arrives', async (context) => {
  const { here, there } = await pair(context)
  const ended = once(there, 'end')
  const arriving = take(there, 1000)
  there.send('never read')
  for (const number of counted(1000)) here.send(number)
  await here[Symbol.asyncDispose]()
  assert.ok(here.closed)
  assert.deepEqual(await arriving, counted(1000))
  await ended
})

it('an error of a listener is an uncaught exception, and harms nobody else', async (context) => {
  const { here, there } = await pair(context)
  const arrived = []
  const thrown = []
  const caught = (error) => { thrown.push(error.message) }
  // The runner listens too; it must not see these.
  const before = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', caught)
  try {
    there.on('data', (message) => {
      arrived.push(message)
      if (message % 10 === 0) throw new Error(`on ${message}`)
    })
    for (const number of counted(100)) here.send(number)
    here.end()
    await once(there, 'end')
  } finally {
    process.off('uncaughtException', caught)
    for (const listener of before) process.on('uncaughtException', listener)
  }
  assert.deepEqual(arrived, counted(100))
  assert.deepEqual(thrown, counted(10).map((number) => `on ${10 * number}`))
})

it('messages that keep coming leave a turn to everything else in the event loop', async (context) => {
  const { here, there } = await pair(context)
  let [open, inRound, most] = [true, 0, 0]
  there.on('data', () => { most = Math.max(most, ++inRound) })
  there.on('end', () => { open = false })
  const sending = pipeline(Readable.from(counted(30_000)), here)
  while (open) {
    await turn()
    inRound = 0
  }
  await sending
  // Two tables.
  assert.ok(most <= 2 * 1024, `${most} messages came at once`)
})

it('what many remotes have brought at once all comes, though nothing else happens in the event loop', async (context) => {
  const near = listening()
  context.after(() => near.close())
  for (const topic of counted(REMOTES)) near.discoverTopic(Buffer.alloc(32, topic))
  await near.start()
  const remotes = []
  const opened = new Promise((resolve) => {
    near.on('remote', (remote) => { if (remotes.push(remote) === REMOTES) resolve() })
  })
  const child = spawn(process.execPath, ['-e', `
    const { Node } = require('p2pchan')
    const far = new Node()
    for (let topic = 0; topic < ${REMOTES}; topic++) far.discoverTopic(Buffer.alloc(32, topic))
    far.on('remote', (remote) => { for (let number = 0; number < ${EACH}; number++) remote.write(number) })
    far.start().then(() => far.connect('${near.addresses[0]}')).then((remote) => { far.emit('remote', remote) })
  `], { stdio: ['ignore', 'ignore', 'inherit'] })
  context.after(() => child.kill())
  await opened
  // The event loop stands still until all is here.
  while (near.status().totals.messages_received < REMOTES * EACH);
  await Promise.all(remotes.map(async (remote) => { assert.deepEqual(await take(remote, EACH), counted(EACH)) }))
})

it('no subject is ever shown', async (context) => {
  const { near, here } = await pair(context)
  for (const thing of [here, near, near.discover(SUBJECT), { here, list: [near] }]) {
    for (const options of [{}, { depth: 9, showHidden: true, getters: true }]) assert.ok(!inspect(thing, options).includes(SUBJECT))
    assert.ok(!JSON.stringify(near.status()).includes(SUBJECT))
  }
})

it('a message cannot be transferred with all those that share its memory', async (context) => {
  const { here, there } = await pair(context)
  here.send(Buffer.from('one'))
  here.send(Buffer.from('two'))
  const [one, two] = await take(there, 2)
  const { port1, port2 } = new MessageChannel()
  try {
    // Some versions of Node throw, others copy.
    port1.postMessage(one, [one.buffer])
  } catch (error) {
    assert.equal(error.name, 'DataCloneError')
  }
  assert.deepEqual([one.toString(), two.toString()], ['one', 'two'])
  port1.close()
  port2.close()
})

it('closing a node ends its remotes and whoever waits', async (context) => {
  const { near, far, there } = await pair(context)
  const next = far[Symbol.asyncIterator]().next()
  const reading = there[Symbol.asyncIterator]().next()
  const [first, second] = [far.close(), far.close()]
  assert.deepEqual(await next, { value: undefined, done: true })
  assert.deepEqual(await reading, { value: undefined, done: true })
  await Promise.all([first, second, far.close()])
  await assert.rejects(far.connect(near.addresses[0]), { code: 'ERR_P2PCHAN_CLOSED' })
  assert.throws(() => far.discover(SUBJECT), { code: 'ERR_P2PCHAN_CLOSED' })
})

it('a socket that speaks no protocol of ours harms nobody', async (context) => {
  const node = await listening().start()
  context.after(() => node.close())
  const { port } = new URL(node.addresses[0])
  const socket = net.connect(Number(port), '127.0.0.1', () => { socket.end('GET / HTTP/1.1\r\n\r\n') })
  socket.on('error', () => {}).resume()
  await once(socket, 'close')
  assert.deepEqual(node.remotes(), [])
})
