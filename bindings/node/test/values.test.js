'use strict'
// What programs pass that is wrong: everything is named at once, and changes nothing.

const assert = require('node:assert/strict')
const vm = require('node:vm')
const p2pchan = require('p2pchan')
const { it, listening, pair, take } = require('./helpers')

const { Discovery, Node, P2PChanError, Remote } = p2pchan

/** One value of each type, by its name. */
const EVERYTHING = {
  undefined, null: null, boolean: true, number: 7, NaN, bigint: 7n, string: 'text', symbol: Symbol('it'),
  function: () => {}, object: {}, array: [], Map: new Map(), Promise: Promise.resolve(), Buffer: Buffer.from('x')
}

function cycle() {
  const outer = { inner: { list: [] } }
  outer.inner.list.push(outer)
  return outer
}

function deep(levels) {
  let value = 1
  for (let level = 0; level < levels; level++) value = [value]
  return value
}

class Point {
  constructor() {
    this.x = 1
  }
}

const REFUSED = [
  [undefined, /^message is undefined; JSON has none$/],
  [null, /^message is null, which cannot travel by itself/],
  [() => {}, /^message is a function; JSON has none$/],
  [{ a: [0, 1, 2, () => {}] }, /^message\.a\[3\] is a function; JSON has none$/],
  [{ 'two words': { b: undefined } }, /^message\["two words"\]\.b is undefined; JSON has none$/],
  [[Symbol('it')], /^message\[0\] is a symbol; JSON has none$/],
  [7n, /^message is a bigint; JSON has none$/],
  [NaN, /^message is NaN; JSON has only finite numbers$/],
  [{ a: -Infinity }, /^message\.a is -Infinity; JSON has only finite numbers$/],
  // eslint-disable-next-line no-sparse-arrays
  [[1, , 3], /^message\[1\] is undefined/],
  [new Map(), /^message is a Map; JSON has none$/],
  [[new Set()], /^message\[0\] is a Set; JSON has none$/],
  [{ a: Promise.resolve() }, /^message\.a is a Promise; JSON has none$/],
  [{ a: /x/ }, /^message\.a is a RegExp; JSON has none$/],
  [new Error('x'), /^message is an Error; JSON has none$/],
  [{ a: Buffer.from('x') }, /^message\.a is a Buffer; bytes travel as a message of their own$/],
  [{ a: new Float64Array(1) }, /^message\.a is a Float64Array; bytes travel/],
  ['half \ud800', /^message has half of a surrogate pair/],
  [{ a: ['\udc00'] }, /^message\.a\[0\] has half of a surrogate pair/],
  [{ '\ud800': 1 }, /^message\["\\ud800"\] has half of a surrogate pair/],
  [cycle(), /is nested deeper than 127 levels, or contains itself$/],
  [deep(128), /is nested deeper than 127 levels/],
  [{ toJSON: () => undefined }, /^message is undefined/]
]

it('what cannot travel is named with its place, and nothing is sent of it', async (context) => {
  const { here, there } = await pair(context)
  for (const [value, words] of REFUSED) {
    for (const send of ['send', 'write', 'end']) {
      if (send === 'end' && (value === undefined || value === null || typeof value === 'function')) continue
      assert.throws(() => here[send](value), (error) => error instanceof TypeError && words.test(error.message), words.source)
    }
  }
  here.send('the next')
  assert.deepEqual(await take(there, 1), ['the next'])
})

it('values that JSON.stringify understands travel as it says', async (context) => {
  const { here, there } = await pair(context)
  const cases = [
    [new Date(0), '1970-01-01T00:00:00.000Z'], [new Point(), { x: 1 }], [Object.create(null), {}],
    [{ toJSON: () => ({ own: 1 }) }, { own: 1 }], [Object(5), 5], [Object('boxed'), 'boxed'], [deep(127), deep(127)],
    [{ ['__proto__']: 1 }, JSON.parse('{ "__proto__": 1 }')], [vm.runInNewContext('({ a: [1] })'), { a: [1] }]
  ]
  for (const [value, expected] of cases) {
    here.send(value)
    assert.deepStrictEqual(await take(there, 1), [expected])
  }
})

it('a value is sent as it was when it was given', async (context) => {
  const { here, there } = await pair(context)
  const value = { step: 1 }
  for (; value.step < 100; value.step++) here.send(value)
  assert.deepEqual((await take(there, 99)).map(({ step }) => step), [...Array(99).keys()].map((it) => it + 1))
})

it('anything with bytes in it arrives as a Buffer', async (context) => {
  const { here, there } = await pair(context)
  const bytes = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8])
  const shared = new SharedArrayBuffer(8)
  new Uint8Array(shared).set(bytes)
  const long = new Uint8Array(new SharedArrayBuffer(100_000)).fill(7)
  const cases = [
    bytes, bytes.buffer, new DataView(bytes.buffer), new Uint16Array(bytes.buffer), new Float64Array(bytes.buffer), shared,
    new Uint8Array(shared), Buffer.from(bytes), new Uint8ClampedArray(bytes),
    vm.runInNewContext('Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8])'), vm.runInNewContext('new Uint8Array([1,2,3,4,5,6,7,8]).buffer')
  ]
  for (const value of cases) here.send(value)
  for (const message of await take(there, cases.length)) assert.deepStrictEqual(message, Buffer.from(bytes))
  here.send(new DataView(bytes.buffer, 2, 3))
  here.send(long)
  assert.deepStrictEqual(await take(there, 2), [Buffer.from([3, 4, 5]), Buffer.alloc(100_000, 7)])
})

it('a message beyond limits.message is refused at once, and the next is sent', async (context) => {
  const { here, there } = await pair(context, { limits: { message: '4KiB' } })
  for (const big of [Buffer.alloc(4097), 'x'.repeat(4097), '\u00e4'.repeat(2049), { a: 'x'.repeat(4096) }]) {
    assert.throws(() => here.send(big), { code: 'ERR_P2PCHAN_TOO_BIG', message: /at most 4096/ })
  }
  const fits = [Buffer.alloc(4096, 1), 'x'.repeat(4096), '\u00e4'.repeat(2048)]
  for (const value of fits) here.send(value)
  assert.deepStrictEqual(await take(there, 3), fits)
})

/** Each function of a node, and for each argument the types that it takes. */
const CALLS = {
  start: [['undefined', 'object', 'Map', 'Promise', 'Buffer']],
  discover: [['string'], ['undefined', 'null', 'string']],
  discoverTopic: [['Buffer']],
  stopDiscover: [['string']],
  stopDiscoverTopic: [['Buffer']],
  connect: [['string'], ['undefined', 'object', 'Map', 'Promise', 'Buffer']],
  explain: [['string']],
  addDiscoveryService: [[]],
  update: [['object', 'Map', 'Promise', 'Buffer'], ['undefined', 'object', 'Map', 'Promise', 'Buffer']],
  reload: [['undefined', 'object', 'Map', 'Promise', 'Buffer']],
  close: [['undefined', 'object', 'Map', 'Promise', 'Buffer']]
}
const RIGHT = { string: 'tcp://127.0.0.1:1', Buffer: Buffer.alloc(32), object: {} }
const NAMES = {
  start: ['options'], discover: ['subject', 'secret'], discoverTopic: ['topic'], stopDiscover: ['subject'],
  stopDiscoverTopic: ['topic'], connect: ['address', 'options'], explain: ['target'], addDiscoveryService: ['service'],
  update: ['settings', 'options'], reload: ['options'], close: ['options']
}

it('every function names every argument of the wrong type by a TypeError', async (context) => {
  const node = await listening().start()
  context.after(() => node.close())
  for (const [name, places] of Object.entries(CALLS)) {
    for (const [place, right] of places.entries()) {
      for (const [type, value] of Object.entries(EVERYTHING)) {
        if (right.includes(type)) continue
        const values = places.slice(0, place).map((types) => RIGHT[types[0]])
        const call = async () => node[name](...values, value)
        const expected = (error) => error instanceof TypeError && error.message.startsWith(NAMES[name][place])
        await assert.rejects(call, expected, `${name}, argument ${place} is ${type}`)
      }
    }
  }
})

it('signals, options and settings of the wrong type are named', async (context) => {
  const node = await listening().start()
  context.after(() => node.close())
  for (const signal of [1, 'x', {}, true]) {
    await assert.rejects(node.connect('tcp://127.0.0.1:1', { signal }), { name: 'TypeError', message: /^options\.signal must be an AbortSignal/ })
  }
  const wrong = [
    [[5], /^settings must be an object/], [['x'], /^settings/], [[[]], /^settings/], [[{ a: () => {} }], /^settings\.a is a function/],
    [[{}, 5], /^options/], [[{}, { settingsFile: 5 }], /^options\.settingsFile must be a string, and is a number/],
    [[{}, { refuse: 5 }], /^options\.refuse must be a function/]
  ]
  for (const [values, message] of wrong) assert.throws(() => new Node(...values), { name: 'TypeError', message })
  for (const service of [{}, { name: 5 }, { name: 'x', lookUp: 5 }]) {
    assert.throws(() => new Node().addDiscoveryService(service), { name: 'TypeError', message: /^service\./ })
  }
})

it('wrong settings are named by key and value', () => {
  const cases = [
    [{ listn: '127.0.0.1:0' }, /listn.*listen/s], [{ limits: { remotes: -1 } }, /limits\.remotes/],
    [{ 'limits.remotes': 'many' }, /limits\.remotes/]
  ]
  for (const [settings, message] of cases) {
    assert.throws(() => new Node(settings), (error) => error instanceof P2PChanError && message.test(error.message))
    assert.throws(() => new Node(settings), { name: 'P2PChanError', code: 'ERR_P2PCHAN_SETTINGS', message })
  }
  assert.throws(() => new Node({}, { settingsFile: '/nonexistent/settings.toml' }), { code: 'ERR_P2PCHAN_IO' })
  // What is undefined is not set.
  assert.ok(new Node({ listen: undefined, limits: { remotes: undefined } }))
})

it('what never can be right is refused by name', async (context) => {
  const node = await listening().start()
  context.after(() => node.close())
  for (const each of [node, new Node()]) {
    assert.throws(() => each.discover('nul \0 inside'), { code: 'ERR_P2PCHAN_INVALID', message: /^subject/ })
    assert.throws(() => each.discover('x', ''), { code: 'ERR_P2PCHAN_INVALID', message: /^secret is empty/ })
    each.discover('x', 'one secret')
    assert.throws(() => each.discover('x', 'another'), { code: 'ERR_P2PCHAN_INVALID', message: /another secret/ })
  }
  assert.throws(() => node.discoverTopic(Buffer.alloc(31)), { name: 'RangeError', message: /^topic must be 32 bytes, and has 31/ })
  assert.throws(() => node.explain('?'), P2PChanError)
  await assert.rejects(node.connect('no address'), P2PChanError)
  await assert.rejects(node.update({ limits: { dials: 'many' } }), { code: 'ERR_P2PCHAN_SETTINGS' })
  await assert.rejects(node.start(), { code: 'ERR_P2PCHAN_INVALID', message: /started once/ })
  assert.throws(() => node.addDiscoveryService({ name: 'late' }), { code: 'ERR_P2PCHAN_INVALID' })
})

it('remotes and discoveries are made by nodes only, and nodes that were not started can do nothing', async () => {
  for (const Made of [Remote, Discovery]) assert.throws(() => new Made(), TypeError)
  const node = new Node()
  for (const call of [() => node.id, () => node.addresses, () => node.status(), () => node.explain('tcp://127.0.0.1:1')]) {
    assert.throws(call, { code: 'ERR_P2PCHAN_INVALID', message: /start it first/ })
  }
  await assert.rejects(node.connect('tcp://127.0.0.1:1'), { code: 'ERR_P2PCHAN_INVALID' })
  await node.close()
  await assert.rejects(node.start(), { code: 'ERR_P2PCHAN_INVALID' })
  await assert.rejects(node.connect('tcp://127.0.0.1:1'), { code: 'ERR_P2PCHAN_CLOSED' })
})

it('import gives the same by name as require', async () => {
  const module = await import('p2pchan')
  for (const name of Object.keys(p2pchan)) assert.equal(module[name], p2pchan[name])
})
