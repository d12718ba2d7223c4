'use strict'
// What users of p2pchannels know works under its names.

const assert = require('node:assert/strict')
const { EventEmitter, once } = require('node:events')
const { join } = require('node:path')
const { setImmediate: immediate } = require('node:timers/promises')
const { inspect } = require('node:util')
const { P2PChannels } = require('p2pchan')
const { SUBJECT, it } = require('./helpers')
const { INSTALLED, PACKAGE, network, redirected } = require('./processes')

const { Found } = require(join(PACKAGE, 'lib/found.js'))

const README = join(INSTALLED, 'seeds/p2pchannels.js')

function channels(context, settings) {
  const made = new P2PChannels(settings)
  context.after(() => made.close())
  return made
}

/** A service that finds what it is told to. */
class Bulletin extends EventEmitter {
  start(p2pChannels) {
    this.subjects = p2pChannels.subjects
    p2pChannels.on('addDiscoverSubject', (subject) => this.subjects.push(subject))
    p2pChannels.on('removeDiscoverySubject', (subject) => { this.subjects = this.subjects.filter((each) => each !== subject) })
  }
}

/** Two of them with the remotes between them, through a service that is told where the first is. */
async function pair(context) {
  const [near, far] = [channels(context), channels(context)]
  near.listen(0, '127.0.0.1').discover(SUBJECT)
  await once(near, 'listening')
  const bulletin = new Bulletin()
  far.addDiscoveryService(bulletin).discover(SUBJECT)
  const opened = [once(near, 'remote'), once(far, 'remote')]
  bulletin.emit('discovery', '127.0.0.1', Number(near.addresses[0].split(':').at(-1)), SUBJECT)
  const [[here], [there]] = await Promise.all(opened)
  return { near, far, here, there }
}

it('the README of p2pchannels runs word for word, and two of it talk', async (context) => {
  const entrance = await network(context)
  const both = [redirected(context, entrance, [README]), redirected(context, entrance, [README])]
  for (const { output } of both) {
    // Three subjects are common, and each has a remote of its own.
    const lines = [await output.next(), await output.next(), await output.next(), await output.next(), await output.next(), await output.next()]
    assert.deepEqual(lines.sort(), [...Array(3).fill('Hello, dude!'), ...Array(3).fill("{ yo: 'ppl' }")])
  }
  both[0].child.kill()
  assert.deepEqual([await both[0].wait(), both[0].errors.seen], ['SIGTERM', []])
  assert.equal(await both[1].output.next(), 'Connection closed.')
  assert.deepEqual(both[1].errors.seen, [])
})

it('services of the program find others: remotes have an id, take messages and say their end', async (context) => {
  const { near, far, here, there } = await pair(context)
  assert.deepEqual([here.id, there.id, here.subject], [far.id, near.id, SUBJECT])
  const heard = { here: [], there: [] }
  here.on('data', (message) => heard.here.push(message))
  there.on('data', (message) => heard.there.push(message))
  assert.equal(there.send('Hello, dude!'), true)
  there.send({ yo: 'ppl' })
  there.end(Buffer.from([1]))
  here.send('still heard')
  // What comes too late is not sent, and does no harm.
  assert.equal(there.send('late'), false)
  await Promise.all([once(here, 'end'), once(there, 'end')])
  assert.deepEqual(heard, { here: ['Hello, dude!', { yo: 'ppl' }, Buffer.from([1])], there: ['still heard'] })
  assert.deepEqual([here.reason, here.send('late')], [null, false])
})

it('an end comes though nobody listens to messages', async (context) => {
  const { here, there } = await pair(context)
  there.send('nobody listens')
  there.end()
  await Promise.all([once(here, 'end'), once(there, 'end')])
})

it('a service sees the subjects of its beginning, and is told of those that come and go', (context) => {
  const made = channels(context)
  const bulletin = new Bulletin()
  assert.equal(made.discover('first'), true)
  made.addDiscoveryService(bulletin)
  assert.deepEqual([made.discover('second'), made.discover('second')], [true, false])
  assert.deepEqual(bulletin.subjects, ['first', 'second'])
  assert.deepEqual([made.stopDiscover('first'), made.stopDiscover('first')], [true, false])
  assert.deepEqual([bulletin.subjects, made.subjects], [['second'], ['second']])
})

it('what was found before its subject is remembered, and what is found for no subject counts for all', async (context) => {
  for (const subject of ['later', undefined]) {
    const [near, far] = [channels(context), channels(context)]
    near.listen(0, '127.0.0.1').discover('later')
    await once(near, 'listening')
    const bulletin = new Bulletin()
    far.addDiscoveryService(bulletin).discover('before')
    bulletin.emit('discovery', '127.0.0.1', near.addresses[0].split(':').at(-1), subject)
    far.discover('later')
    const [remote] = await once(far, 'remote')
    assert.equal(remote.subject, 'later')
  }
})

it('of what is found for a subject the newest is remembered, each once', async () => {
  const found = new Found('x')
  found.add('192.0.2.2:1', 'other')
  for (const number of [...Array(300).keys(), 299, 200]) found.add(`192.0.2.1:${number}`, 'mine')
  found.add('192.0.2.3:1', 'other')
  const controller = new AbortController()
  const addresses = []
  for await (const address of found.lookUp({ subject: 'mine' }, controller)) {
    addresses.push(address)
    if (address.endsWith(':200')) controller.abort()
  }
  assert.equal(new Set(addresses).size, 255)
  assert.deepEqual([addresses.length, addresses[0], addresses.at(-2)], [255, '192.0.2.1:45', '192.0.2.1:299'])
})

it('who looks already is told of what is found later', async () => {
  const found = new Found('x')
  const next = found.lookUp({ subject: 'mine' }, new AbortController()).next()
  await immediate()
  found.add('192.0.2.1:1', 'mine')
  assert.deepEqual(await next, { value: '192.0.2.1:1', done: false })
})

it('a port that is taken is told by "error"', async (context) => {
  const first = channels(context).listen(0, '127.0.0.1')
  await once(first, 'listening')
  const port = first.addresses[0].split(':').at(-1)
  const [error] = await once(channels(context).listen(Number(port), '127.0.0.1'), 'error')
  assert.equal(error.code, 'ERR_P2PCHAN_IO')
  assert.match(error.message, new RegExp(port))
})

it('it listens at further ports while it runs, and says so; one that is taken changes nothing', async (context) => {
  const made = channels(context)
  await new Promise((resolve) => made.listen(0, '127.0.0.1', resolve))
  const before = made.addresses
  const [error] = await once(made.listen(before[0].split(':').at(-1), '127.0.0.1'), 'error')
  assert.match(error.message, /127\.0\.0\.1/)
  await new Promise((resolve) => made.listen(0, '127.0.0.2', resolve))
  assert.equal(made.addresses.length, 2 * before.length)
  assert.deepEqual(before.filter((address) => !made.addresses.includes(address)), [])
})

const WRONG = [
  [(made) => made.listen('x'), RangeError, /^port must be .* from 0 to 65535, and is x$/],
  [(made) => made.listen(65536), RangeError, /port .* 65536/],
  [(made) => made.listen(null), TypeError, /^port must be a number, and is null$/],
  [(made) => made.listen(1, 'localhost'), TypeError, /^host must be an IP address/],
  [(made) => made.listen(1, '127.0.0.1', 5), TypeError, /^callback must be a function/],
  [(made) => made.addDiscoveryService(null), TypeError, /^service must be an object/],
  [(made) => made.addDiscoveryService({}), TypeError, /^service.start must be a function/],
  [(made) => made.addDiscoveryService({ start() {} }), TypeError, /^service.on must be a function/],
  [(made) => made.discover(5), TypeError, /^subject must be a string/],
  [(made) => made.stopDiscover(), TypeError, /^subject must be a string/],
  [(made) => new Bulletin().on('x', () => {}) && found(made, 'example.org', 1), TypeError, /^ip must be an IP address/],
  [(made) => found(made, '127.0.0.1', -1), RangeError, /^port must be/],
  [(made) => found(made, '127.0.0.1', 1, 5), TypeError, /^subject must be a string/],
  [() => new P2PChannels(5), TypeError, /^settings must be an object/],
  [() => new P2PChannels({ listn: '' }), Error, /listn/],
  [() => new P2PChannels.BitTorrentDHT(-1), RangeError, /^port must be/],
  [() => new P2PChannels.BitTorrentDHT(1, 5), TypeError, /^options must be an object/],
  [(made) => made.addDiscoveryService(new P2PChannels.BitTorrentDHT(1, { bootstrap: 'x' })), Error, /bootstrap.*"x"/],
  [() => new P2PChannels.BitTorrentDHT(1).start({}), TypeError, /^p2pChannels must be a P2PChannels/]
]

function found(made, ...values) {
  const bulletin = new Bulletin()
  made.addDiscoveryService(bulletin)
  bulletin.emit('discovery', ...values)
}

it('a wrong argument is thrown at once and named', (context) => {
  for (const [call, kind, words] of WRONG) {
    assert.throws(() => call(channels(context)), (error) => {
      assert.match(error.message, words)
      return error instanceof kind
    }, String(call))
  }
})

it('subjects are not shown', (context) => {
  const made = channels(context)
  made.discover('a secret phrase')
  assert.doesNotMatch(inspect(made, { depth: 9, showHidden: true }), /a secret phrase/)
})

it('after close nothing begins again, and close may be called before anything, and twice', async (context) => {
  const begun = channels(context).listen(0, '127.0.0.1')
  await once(begun, 'listening')
  for (const each of [new P2PChannels(), new P2PChannels().listen(0, '127.0.0.1'), begun]) {
    let count = 0
    each.on('close', () => { count++ })
    await Promise.all([each.close(), each.close(), once(each, 'close')])
    await each.close()
    assert.equal(count, 1)
  }
  const made = new P2PChannels()
  await made.close()
  for (const call of [() => made.listen(0), () => made.discover('x'), () => made.addDiscoveryService(new Bulletin())]) {
    assert.throws(call, { code: 'ERR_P2PCHAN_CLOSED' })
  }
})
