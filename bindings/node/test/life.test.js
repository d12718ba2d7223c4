'use strict'
// How processes, workers and contexts end that have nodes.

const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const vm = require('node:vm')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { createRequire } = require('node:module')
const { setImmediate: turn } = require('node:timers/promises')
const { Worker } = require('node:worker_threads')
const { DEADLINE, SUBJECT, closed, it, listening, pair, take } = require('./helpers')

/** Two nodes that talk: a program for a process or worker of its own. */
const LIVE = `
const { Node } = require('p2pchan')
const { once } = require('node:events')
const near = new Node({ listen: 'tcp://127.0.0.1:0' })
const far = new Node({ listen: 'tcp://127.0.0.1:0' })
async function live() {
  for (const node of [near, far]) {
    node.discover('x')
    await node.start()
  }
  const opened = once(near, 'remote')
  const there = await far.connect(near.addresses[0])
  const [here] = await opened
  here.send('never read')
  return { here, there }
}
`

/** Where the package is. */
const FOLDER = path.join(path.dirname(require.resolve('p2pchan')), 'lib')

/** Sends as fast as it can, for ever. */
const FLOOD = `
const flood = (remote) => {
  while (remote.write('a message'.repeat(1 + Math.random() * 1000)));
  remote.once('drain', () => { flood(remote) })
}
`

/** Runs a program: how it ended, and what it wrote. */
async function run(code, args = []) {
  const child = spawn(process.execPath, [...args, '-e', code], { cwd: __dirname, timeout: DEADLINE })
  let [out, err] = ['', '']
  child.stdout.on('data', (data) => { out += data })
  child.stderr.on('data', (data) => { err += data })
  const [status, signal] = await once(child, 'close')
  return { status, signal, out, err }
}

/** Code, and how the process ends. An unref'd timer says that something else keeps it alive. */
const ENDINGS = {
  'a process whose nodes are closed ends': ['live().then(() => Promise.all([near.close(), far.close()]))', 0],
  'a process whose nodes were closed twice, or never started, ends': [
    'new Node(); near.start().then(() => { near.close(); return near.close() }).then(() => far.close())', 0],
  'a process whose nodes are unref\'d ends': ['live().then(() => { near.unref(); far.unref() })', 0],
  'a process whose nodes were unref\'d before the start ends': ['near.unref(); far.unref(); live()', 0],
  'a process whose start failed ends': ['new Node({ listen: "tcp://192.0.2.1:1" }).start().catch(() => {})', 0],
  'a process with a running node goes on': [
    'live().then(() => { far.close(); setTimeout(() => { process.exit(7) }, 200).unref() })', 7],
  'a process whose node is ref\'d again goes on': [
    'live().then(() => { far.close(); near.unref(); near.ref(); setTimeout(() => { process.exit(7) }, 200).unref() })', 7],
  'process.exit ends it': ['live().then(() => { process.exit(3) })', 3],
  'process.exit ends it while messages come': [
    `${FLOOD}; live().then(({ here, there }) => {
      flood(here)
      let count = 0
      there.on('data', () => { if (++count === 5000) process.exit(3) })
    })`, 3],
  'process.exit ends it while it closes': ['live().then(() => { near.close(); process.exit(3) })', 3],
  'process.exit ends it while it starts': ['near.start(); process.exit(3)', 3],
  'process.exit in "exit" ends it': ['process.on("exit", () => { process.exit(3) }); live().then(() => { near.unref(); far.unref() })', 3],
  'an uncaught exception ends it': ['live().then(() => { setImmediate(() => { throw new Error("on purpose") }) })', 1],
  'an unhandled rejection ends it': ['live().then(() => { throw new Error("on purpose") })', 1]
}

for (const [behaviour, [code, status]] of Object.entries(ENDINGS)) {
  it(behaviour, async () => {
    const ended = await run(LIVE + code)
    assert.deepEqual([ended.status, ended.signal], [status, null], ended.err)
    assert.ok(!/panicked|FATAL|Segmentation/.test(ended.err), ended.err)
  })
}

it('a debugger may be attached', async () => {
  const ended = await run(`${LIVE}; live().then(() => Promise.all([near.close(), far.close()]))`, ['--inspect=127.0.0.1:0'])
  assert.deepEqual([ended.status, ended.signal], [0, null], ended.err)
})

it('a signal that nobody handles kills the process', async () => {
  const ended = await run(`${LIVE}; live().then(() => { process.kill(process.pid, 'SIGTERM') })`)
  assert.deepEqual([ended.status, ended.signal], [null, 'SIGTERM'], ended.err)
})

it('a native addon that is missing is named, and what to do', async () => {
  const ended = await run(`
    const Module = require('node:module')
    const resolve = Module._resolveFilename
    Module._resolveFilename = (name, ...more) => resolve(name.startsWith('@p2pchan/') ? '@p2pchan/nowhere' : name, ...more)
    require('p2pchan')`)
  assert.equal(ended.status, 1)
  assert.match(ended.err, /the package @p2pchan\/\S+ is missing.*--omit=optional/)
})

/** A worker that runs this, once it has said something first; `left` is the code with which it ends. */
async function worker(code) {
  const it = new Worker(`${LIVE}; const { parentPort } = require('node:worker_threads'); ${code}`, {
    eval: true, filename: path.join(__dirname, 'worker.js')
  })
  it.once('error', (error) => { throw error })
  it.first = once(it, 'message')
  it.left = once(it, 'exit')
  await it.first
  return it
}

/** Whether somebody accepts connections there. */
function isOpen(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => { resolve(true) }).on('error', () => { resolve(false) })
    socket.on('close', () => { resolve(false) }).end()
  })
}

it('nodes live and end in workers', async () => {
  const workers = await Promise.all([1, 2, 3].map(() => worker('live().then(() => { parentPort.postMessage(near.addresses[0]) })')))
  const ports = await Promise.all(workers.map(async (it) => {
    return Number(new URL((await it.first)[0]).port)
  }))
  const open = await Promise.all(ports.map(isOpen))
  assert.deepEqual(open, [true, true, true])
  const codes = await Promise.all(workers.map((it) => it.terminate()))
  assert.deepEqual(codes, [1, 1, 1])
  for (const port of ports) while (await isOpen(port)) await turn()
})

it('a worker whose nodes are closed ends by itself', async () => {
  const one = await worker('live().then(() => { parentPort.postMessage(0); near.close(); far.close() })')
  assert.deepEqual(await one.left, [0])
})

it('a worker may be terminated while messages come, and again and again', async () => {
  for (let round = 0; round < 10; round++) {
    const one = await worker(`${FLOOD}; live().then(({ here, there }) => {
      flood(here)
      let count = 0
      there.on('data', () => { if (++count === 1000) parentPort.postMessage(count) })
    })`)
    await one.terminate()
  }
})

it('process.exit in a worker ends only the worker', async () => {
  const one = await worker('live().then(() => { parentPort.postMessage(0); setImmediate(() => { process.exit(5) }) })')
  assert.deepEqual(await one.left, [5])
})

it('nodes of the main thread go on when workers end, and talk with theirs', async (context) => {
  const near = await listening().start()
  context.after(() => near.close())
  near.discover('x')
  const opened = once(near, 'remote')
  const one = await worker(`far.discover('x'); far.start().then(async () => {
    parentPort.postMessage(0)
    const remote = await far.connect('${near.addresses[0]}')
    remote.send('from a worker')
  })`)
  const [remote] = await opened
  assert.deepEqual(await take(remote, 1), ['from a worker'])
  const over = closed(remote.resume())
  await one.terminate()
  await over
  const { here, there } = await pair(context)
  here.send('still here')
  assert.deepEqual(await take(there, 1), ['still here'])
})

/** The package once more, with globals of its own, as test runners load modules. */
function another() {
  const globals = vm.createContext({ AbortController, AbortSignal, Buffer, console, process, setImmediate, URL })
  const modules = new Map()
  const load = (file) => {
    if (!modules.has(file)) {
      const module = { exports: {} }
      modules.set(file, module)
      const real = createRequire(file)
      const inside = (name) => (name.startsWith('.') ? load(real.resolve(name)) : real(name))
      const wrapped = `(function (module, exports, require) {${fs.readFileSync(file, 'utf8')}\n})`
      vm.runInContext(wrapped, globals, { filename: file })(module, module.exports, inside)
    }
    return modules.get(file).exports
  }
  return load(require.resolve('p2pchan'))
}

it('the package may be loaded many times, in contexts of their own', async (context) => {
  const packages = [require('p2pchan'), another(), another()]
  const nodes = packages.map(({ Node }) => new Node({ listen: 'tcp://127.0.0.1:0' }))
  context.after(() => Promise.all(nodes.map((node) => node.close())))
  for (const node of nodes) {
    node.discover(SUBJECT)
    await node.start()
  }
  for (const [place, node] of nodes.entries()) {
    const next = nodes[(place + 1) % nodes.length]
    const opened = once(next, 'remote')
    const there = await node.connect(next.addresses[0])
    const [here] = await opened
    const values = [{ a: [1] }, 'text', Buffer.from('bytes'), Uint8Array.of(1, 2)]
    for (const value of values) here.send(value)
    const arrived = await take(there, values.length)
    assert.equal(JSON.stringify(arrived.slice(0, 2)), JSON.stringify(values.slice(0, 2)))
    assert.deepEqual(arrived.slice(2), [Buffer.from('bytes'), Buffer.from([1, 2])])
    assert.throws(() => here.send(() => {}), { name: 'TypeError' })
    here.end()
    there.end()
    await Promise.all([here, there].map((remote) => closed(remote.resume())))
  }
})

it('a module that is loaded anew does not disturb the one before', async (context) => {
  const { here, there } = await pair(context)
  for (let round = 0; round < 20; round++) {
    for (const file of Object.keys(require.cache)) if (file.startsWith(FOLDER) || file.endsWith('.node')) delete require.cache[file]
    const node = new (require('p2pchan').Node)({ listen: 'tcp://127.0.0.1:0' })
    await node.start()
    here.send(round)
    await node.close()
  }
  assert.equal((await take(there, 20)).at(-1), 19)
  await turn()
})
