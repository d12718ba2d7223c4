'use strict'
// The library's log, which is one for the whole process: each in a process of its own.

const assert = require('node:assert/strict')
const { setLog } = require('p2pchan')
const { it } = require('./helpers')
const { script } = require('./processes')

/** Runs a node that nobody can find: the lines of its output and of its errors. */
async function alone(context, prologue, environment) {
  const code = `
const { Node, setLog } = require('p2pchan')
${prologue}
const node = new Node({ listen: 'tcp://127.0.0.1:0' })
node.on('warning', () => { setImmediate(() => node.close()) })
node.discover('a subject')
node.start()`
  const child = script(context, ['-e', code], environment)
  assert.equal(await child.wait(), 0)
  const [output, errors] = await Promise.all([child.output.rest(), child.errors.rest()])
  return { output, errors: errors.join('\n') }
}

it('warnings are warnings of the process if nothing else was said', async (context) => {
  const { errors } = await alone(context, '')
  assert.match(errors, /P2PChanWarning: .*discovery/)
  const { output } = await alone(context, "process.on('warning', ({ name }) => console.log(name))")
  assert.deepEqual(output, ['P2PChanWarning'])
})

it('everything goes to stderr with NODE_DEBUG', async (context) => {
  const { errors } = await alone(context, '', { NODE_DEBUG: 'p2pchan' })
  assert.match(errors, /P2PCHAN \d+: warn: .*discovery/)
  assert.match(errors, /P2PCHAN \d+: (info|debug|trace): /)
})

it('the log goes to a function with the levels that are wanted, and never has subjects', async (context) => {
  const { output, errors } = await alone(context, "setLog('debug', (level, line) => console.log(level, line))")
  assert.equal(errors, '')
  assert.ok(output.some((line) => line.startsWith('warn ')))
  assert.ok(output.every((line) => /^(error|warn|info|debug) /.test(line)), output.join('\n'))
  assert.ok(!output.join().includes('a subject'))
  const { output: short } = await alone(context, "setLog('error', (level, line) => console.log(level, line))")
  assert.deepEqual(short, [])
})

it('the log can be sent nowhere', async (context) => {
  assert.deepEqual(await alone(context, 'setLog(null)'), { output: [], errors: '' })
})

it('a worker that is gone leaves the log to others', async (context) => {
  const prologue = `
const { Worker } = require('node:worker_threads')
const gone = new Worker("const { setLog } = require('p2pchan'); setLog('trace', () => {})", { eval: true })
gone.on('exit', () => setLog('warn', (level) => console.log(level)))`
  const code = `${prologue}
gone.on('exit', () => {
  const { Node } = require('p2pchan')
  const node = new Node({ listen: 'tcp://127.0.0.1:0' })
  node.on('warning', () => { setImmediate(() => node.close()) })
  node.discover('a subject')
  node.start()
})
const { setLog } = require('p2pchan')`
  for (const it of [code, code.replace("setLog('warn', (level) => console.log(level))", "process.on('warning', () => console.log('warn'))")]) {
    const child = script(context, ['-e', it])
    assert.equal(await child.wait(), 0)
    assert.deepEqual(await child.output.rest(), ['warn'])
  }
})

it('a level or a listener of the wrong type is named', () => {
  assert.throws(() => setLog(3, () => {}), { name: 'TypeError', message: /^level must be a string/ })
  assert.throws(() => setLog('loud', () => {}), { name: 'RangeError', message: /^level must be one of error, .*"loud"/ })
  assert.throws(() => setLog('warn'), { name: 'TypeError', message: /^listener must be a function/ })
})
