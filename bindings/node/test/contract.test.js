'use strict'
// What is promised in two places is the same in both, and the native part survives nonsense.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const p2pchan = require('p2pchan')
const { closed, it, listening, pair } = require('./helpers')

const FOLDER = path.dirname(require.resolve('p2pchan'))
const internal = (name) => require(path.join(FOLDER, 'lib', name))
const types = fs.readFileSync(path.join(FOLDER, 'index.d.ts'), 'utf8')
const native = internal('native.js')

/** All matches of the first group, sorted. */
const all = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]).sort()

/** The body of an interface or class of index.d.ts. */
function body(kind, name) {
  const [, found] = types.match(new RegExp(`export ${kind} ${name}\\b[^{]*\\{\\n(.*?)\\n\\}`, 's'))
  return found
}

it('the codes in index.d.ts are those of all languages', () => {
  const [, union] = types.match(/export type Code =(.*?)\n\n/s)
  assert.deepEqual(all(union, /'ERR_P2PCHAN_(\w+)'/g), native.codes().sort())
})

it('the events in index.d.ts are those that are asked for', () => {
  const own = ['close', 'error', 'remote', 'stats']
  const { NAMES } = internal('events.js')
  assert.deepEqual(all(body('interface', 'NodeEvents'), /^ {2}(\w+): \[/gm), [...NAMES, ...own].sort())
})

it('every method and property of index.d.ts is there, and no other', () => {
  for (const name of ['Node', 'Discovery']) {
    const declared = new Set(all(body('class', name), /^ {2}(?:readonly )?(\w+)[(:]/gm).filter((it) => it !== 'private'))
    declared.add('constructor')
    const inherited = ['on', 'addListener', 'prependListener']
    const there = Object.getOwnPropertyNames(p2pchan[name].prototype).filter((it) => !inherited.includes(it))
    assert.deepEqual(there.sort(), [...declared].sort())
  }
  for (const name of all(body('class', 'Remote'), /^ {2}(?:readonly )?(\w+)[(:]/gm)) {
    if (name !== 'private') assert.ok(name in p2pchan.Remote.prototype, name)
  }
})

it('the versions of the packages are one', () => {
  const own = require('p2pchan/package.json')
  for (const version of Object.values(own.optionalDependencies)) assert.equal(version, own.version)
})

/** What no caller would pass. */
const NONSENSE = [
  [], [undefined], [null], [NaN], [-1], [2 ** 53], ['text'], [{}], [[]], [() => {}], [Symbol('x')], [7n], [Buffer.alloc(0)],
  [Buffer.alloc(3), new Uint32Array(0), 2 ** 32 - 1], [Buffer.alloc(0), new Uint32Array(4), 0],
  [Buffer.alloc(1), new Uint32Array([0, 5, 1, 9, 0, 7]), 2], [0, Buffer.alloc(1), 2 ** 31], [9, Buffer.alloc(1), 1],
  [Buffer.alloc(1), new Uint32Array(1), 1000], ['text', 'text', 'text'], [1, 'text', 5], [2 ** 60, 'IO', 'x']
]

it('the native part answers nonsense by exceptions', async (context) => {
  const { near } = await pair(context)
  const { NativeNode, NativeItems, NativeRemote } = native
  const made = new NativeNode('{}', undefined, false)
  for (const method of Object.getOwnPropertyNames(NativeNode.prototype)) {
    for (const values of NONSENSE) {
      if (method === 'constructor') {
        assert.throws(() => new NativeNode(...values))
        continue
      }
      // On a node that was not started; calls with nothing to complain about may succeed.
      try {
        typeof made[method] === 'function' && made[method](...values)
      } catch (error) {
        assert.ok(error instanceof Error)
        assert.ok(!/panic/i.test(error.message), `${method}: ${error.message}`)
      }
    }
  }
  for (const Made of [NativeItems, NativeRemote]) assert.throws(() => new Made())
  assert.equal(near.remotes().length, 1)
})

it('a remote answers nonsense by exceptions', async (context) => {
  const { NativeRemote } = native
  const { here, there } = await pair(context)
  const prototype = NativeRemote.prototype
  // The native remote of `here`, which the stream keeps to itself.
  let seen
  const { send } = prototype
  prototype.send = function (...values) {
    seen = this
    return send.apply(this, values)
  }
  try {
    here.send('something')
  } finally {
    prototype.send = send
  }
  for (const method of ['send', 'sendMany', 'flow']) {
    for (const values of NONSENSE) {
      try {
        seen[method](...values)
      } catch (error) {
        assert.ok(!/panic/i.test(error.message), `${method}: ${error.message}`)
      }
    }
  }
  assert.throws(() => send.call({}, 0, Buffer.alloc(1), 1))
  assert.equal(await new Promise((resolve) => { there.once('data', resolve) }), 'something')
})

it('a peer that marks as JSON what is none ends the remote with the reason', async (context) => {
  const { here, there } = await pair(context)
  const { NativeRemote } = native
  const { sendOne } = internal('outgoing.js')
  const sendAs = (text) => {
    const { send } = NativeRemote.prototype
    NativeRemote.prototype.send = function (_, data, length) { return send.call(this, 2, data, length) }
    try {
      here.send(text)
    } finally {
      NativeRemote.prototype.send = send
    }
  }
  assert.equal(typeof sendOne, 'function')
  const arrived = []
  const failed = new Promise((resolve) => { there.once('error', resolve) })
  there.on('data', (message) => { arrived.push(message) })
  sendAs('"right"')
  await new Promise((resolve) => { there.once('data', resolve) })
  sendAs('{ "a": wrong }')
  const error = await failed
  assert.equal(error.code, 'ERR_P2PCHAN_PROTOCOL')
  assert.equal(there.reason, error)
  assert.deepEqual(arrived, ['right'])
  assert.ok(there.readableEnded)
  await closed(here.resume())
})

it('a null that a peer sends by itself is no message', async (context) => {
  const node = listening()
  context.after(() => node.close())
  const { here, there } = await pair(context)
  const { NativeRemote } = native
  const { send } = NativeRemote.prototype
  NativeRemote.prototype.send = function (_, data, length) { return send.call(this, 2, data, length) }
  try {
    here.send('null')
  } finally {
    NativeRemote.prototype.send = send
  }
  await closed(there.resume())
  assert.equal(there.reason.code, 'ERR_P2PCHAN_PROTOCOL')
})
