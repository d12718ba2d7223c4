'use strict'
// `npx p2pchan join`: real processes that talk with each other, and with the command line.

const assert = require('node:assert/strict')
const { once } = require('node:events')
const { existsSync } = require('node:fs')
const { connect } = require('node:net')
const { join } = require('node:path')
const { setImmediate: immediate } = require('node:timers/promises')
const { Node } = require('p2pchan')
const { SUBJECT, it } = require('./helpers')
const { PACKAGE, Process, network, script } = require('./processes')

const PROGRAM = join(PACKAGE, 'bin/p2pchan.js')

function joining(context, parameters, environment) {
  return script(context, [PROGRAM, 'join', ...parameters], environment)
}

function listening(context, ...options) {
  return joining(context, [SUBJECT, '--listen', 'tcp://127.0.0.1:0', ...options])
}

function dialling(context, address, ...options) {
  return joining(context, [SUBJECT, '--seed', address, '--listen', 'tcp://127.0.0.1:0', ...options])
}

async function addressOf(process) {
  return (await process.errors.until('listening on')).split(' ').at(-1)
}

async function identityOf(process) {
  return (await process.errors.until('this node is')).split(' ').at(-1)
}

it('what is typed in one is printed in the others with who says it', async (context) => {
  const ann = listening(context)
  const name = (await identityOf(ann)).slice(0, 8)
  const address = await addressOf(ann)
  const [ben, cyd] = [dialling(context, address), dialling(context, address)]
  for (const { errors } of [ann, ann, ben, cyd]) await errors.until('is open at')
  const text = '\u00e4\u20ac\u{1f600}'
  ann.say('Hello, dudes!', '', text)
  for (const { output } of [ben, cyd]) {
    assert.deepEqual([await output.next(), await output.next(), await output.next()],
      [`${name}: Hello, dudes!`, `${name}: `, `${name}: ${text}`])
  }
  ben.child.kill('SIGTERM')
  await ann.errors.until('has ended')
  ann.say('still here')
  assert.equal(await cyd.output.next(), `${name}: still here`)
})

it('a pipe arrives whole at one that goes on after the end of its own input', async (context) => {
  const listener = listening(context)
  listener.hangUp()
  const sender = dialling(context, await addressOf(listener), '--until', '1')
  const name = (await identityOf(sender)).slice(0, 8)
  const numbers = [...Array(5_000).keys()]
  sender.say(...numbers)
  sender.hangUp()
  for (const number of numbers) assert.equal(await listener.output.next(), `${name}: ${number}`)
  assert.equal(await sender.wait(), 0)
  await listener.errors.until('the peer has ended')
  assert.equal(listener.child.exitCode, null)
})

it('a peer that is killed before it took everything makes it fail', async (context) => {
  const receiver = listening(context)
  const sender = dialling(context, await addressOf(receiver), '--until', '1')
  await sender.errors.until('is open at')
  receiver.child.kill('SIGSTOP')
  sender.say('never read')
  sender.hangUp()
  await sender.errors.until('end of input after 1 lines')
  receiver.child.kill('SIGKILL')
  assert.equal(await sender.wait(), 1)
  assert.match((await sender.errors.rest()).at(-1), /lost before it took everything$/)
})

for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15], ['SIGHUP', 1]]) {
  it(`${signal} ends it cleanly and says so in the exit code`, async (context) => {
    const here = listening(context)
    const there = dialling(context, await addressOf(here))
    here.say('before the signal')
    assert.match(await there.output.next(), /before the signal$/)
    here.child.kill(signal)
    assert.equal(await here.wait(), 128 + number)
    // It has said goodbye.
    await there.errors.until('the peer has ended')
    assert.doesNotMatch((await here.errors.rest()).join('\n'), /Error|Warning|at .*\.js/)
  })
}

it('a second signal ends it at once', async (context) => {
  const here = listening(context)
  const address = await addressOf(here)
  const frozen = dialling(context, address)
  await here.errors.until('is open at')
  frozen.child.kill('SIGSTOP')
  // The peer does not say goodbye, so the clean end takes its time.
  here.child.kill('SIGINT')
  while (await accepts(address)) await immediate()
  here.child.kill('SIGTERM')
  assert.equal(await here.wait(), 128 + 15)
})

/** Whether somebody listens there. */
function accepts(address) {
  return new Promise((resolve) => {
    const socket = connect({ port: Number(address.split(':').at(-1)), host: '127.0.0.1' })
    socket.on('connect', () => { socket.destroy() }).on('close', (failed) => { resolve(!failed) }).on('error', () => {})
  })
}

it('a reader that has enough is no failure', async (context) => {
  const speaker = listening(context)
  const here = dialling(context, await addressOf(speaker))
  here.child.stdout.destroy()
  speaker.say('into the void')
  assert.equal(await here.wait(), 0)
  assert.doesNotMatch((await here.errors.rest()).join('\n'), /EPIPE|Error/)
})

it('a reader that is slow holds up nothing but itself, and misses nothing', async (context) => {
  const receiver = listening(context)
  const sender = dialling(context, await addressOf(receiver), '--until', '1')
  await sender.errors.until('is open at')
  receiver.child.stdout.pause()
  const lines = Array(200).fill('x'.repeat(100_000))
  sender.say(...lines)
  sender.hangUp()
  // Its output is full, and it still hears: signals, and what is typed.
  receiver.hangUp()
  await receiver.errors.until('end of input after 0 lines')
  receiver.child.stdout.resume()
  for (const line of lines) assert.equal((await receiver.output.next()).length, line.length + 10)
  assert.equal(await sender.wait(), 0)
})

it('nobody there in time is code 3', async (context) => {
  const alone = listening(context, '--timeout', '1')
  assert.equal(await alone.wait(), 3)
  assert.equal((await alone.errors.rest()).at(-1), 'p2pchan: 0 of 1 remotes opened within 1 s')
})

const WRONG = {
  'no phrase': [[], 'a phrase is missing'],
  'an unknown setting': [['x', '--set', 'listn=1'], 'listn'],
  'a setting without a value': [['x', '--set', 'listen'], 'KEY=VALUE'],
  'a wrong address': [['x', '--listen', '8099'], '8099'],
  'a wrong number': [['x', '--until', '0'], '"0": write a whole number from 1 on'],
  'a phrase that is too long': [['x'.repeat(257), '--listen', '127.0.0.1:0'], '256'],
  'a phrase without quotes': [['my', 'phrase'], '"phrase" is one word too many'],
  'an unknown option': [['x', '--sed', '127.0.0.1:1'], '--sed']
}
for (const [what, [parameters, words]] of Object.entries(WRONG)) {
  it(`${what} is named, and the code is 2`, async (context) => {
    const process = joining(context, parameters)
    assert.equal(await process.wait(), 2)
    const told = (await process.errors.rest()).join('\n')
    assert.ok(told.includes(words), told)
    assert.doesNotMatch(told, /Error|at .*\.js/)
  })
}

it('a port in use is named, and the code is 1', async (context) => {
  const address = await addressOf(listening(context))
  const second = joining(context, ['x', '--listen', address])
  assert.equal(await second.wait(), 1)
  await second.errors.until(address.replace('tcp://', ''))
})

it('a line that is too long is named, and those before it arrive', async (context) => {
  const receiver = listening(context)
  const sender = dialling(context, await addressOf(receiver), '--set', 'limits.message=1KiB')
  sender.say('short', 'x'.repeat(2000), 'never sent')
  assert.equal(await sender.wait(), 1)
  assert.match((await sender.errors.rest()).at(-1), /line 2 to [0-9a-f]{8}: /)
  assert.match(await receiver.output.next(), /: short$/)
})

it('a line longer than any message is not gathered for ever', async (context) => {
  const receiver = listening(context)
  const sender = dialling(context, await addressOf(receiver))
  sender.child.stdin.write('x'.repeat(17 * 1024 * 1024))
  assert.equal(await sender.wait(), 1)
  assert.match((await sender.errors.rest()).at(-1), /line 1 is longer than 16777216 bytes/)
})

it('nobody can command the terminal or speak in the name of another', async (context) => {
  const here = listening(context)
  const node = await new Node({ discovery: { seeds: await addressOf(here) } }).start()
  context.after(() => node.close())
  node.discover(SUBJECT)
  const [remote] = await once(node, 'remote')
  for (const message of ['a\x1b[2J\nb: c\r', Buffer.from([0xff, 10]), { '\u202e': ['\x07'] }, '\u00e4 \u2603\t|']) remote.send(message)
  const name = node.id.slice(0, 8)
  for (const line of [String.raw`a\x1b[2J\nb: c\r`, String.raw`\xff\n`, String.raw`{"\u202e":["\u0007"]}`, '\u00e4 \u2603\t|']) {
    assert.equal(await here.output.next(), `${name}: ${line}`)
  }
})

it('it opens what it tells, and the phrase is not told', async (context) => {
  const options = ['--listen', '127.0.0.1:0', '--bootstrap', '127.0.0.1:1']
  const process = joining(context, options, { P2PCHAN_PHRASE: SUBJECT })
  for (const words of ['on tcp:', 'on quic:', 'bittorrent uses']) {
    assert.match(await process.errors.until(words), /\/\/127\.0\.0\.1:/)
  }
  process.child.kill('SIGINT')
  assert.equal(await process.wait(), 130)
  await process.errors.rest()
  assert.ok(!process.errors.seen.join('\n').includes(SUBJECT))
})

it('it talks with the command line through a DHT', async (context) => {
  const program = process.env.P2PCHAN_PROGRAM ?? ''
  if (!existsSync(program)) {
    context.skip('the program p2pchan is not built, or P2PCHAN_PROGRAM does not name it')
    return
  }
  const common = ['join', SUBJECT, '--listen', '127.0.0.1:0', '--bootstrap', await network(context), '--until', '1']
  const theirs = new Process(context, program, common)
  const ours = script(context, [PROGRAM, ...common])
  const name = (await identityOf(theirs)).slice(0, 8)
  theirs.say('from the command line')
  ours.say('from Node')
  assert.equal(await ours.output.next(), `${name}: from the command line`)
  assert.equal(await theirs.output.next(), 'from Node')
  theirs.hangUp()
  ours.hangUp()
  assert.deepEqual([await theirs.wait(), await ours.wait()], [0, 0])
})

it('the version and the help are told', async (context) => {
  const { version } = require('p2pchan/package.json')
  for (const [parameters, line] of [[['--version'], `p2pchan ${version}`], [['--help'], 'usage: npx p2pchan COMMAND'],
    [['join', '--help'], 'usage: npx p2pchan join [OPTION]... PHRASE']]) {
    const process = script(context, [PROGRAM, ...parameters])
    assert.deepEqual([await process.wait(), await process.output.next()], [0, line])
  }
})

it('without a command, or with one that is none, it tells what there is', async (context) => {
  for (const parameters of [[], ['jion']]) {
    const process = script(context, [PROGRAM, ...parameters])
    assert.equal(await process.wait(), 2)
    await process.errors.until('join')
  }
})
