'use strict'
// `npx p2pchan join`: standard input and output, connected to everybody with the same phrase. As `p2pchan join` of
// the command line, with the options that a first try needs, and with the name of who says it before each message.

const { setTimeout: after } = require('node:timers/promises')
const { P2PChanError } = require('../errors')
const { debug, setLog } = require('../log')
const { Node } = require('../node')
const { Failure } = require('./failure')
const { Output } = require('./output')
const { Room } = require('./room')
const { printable } = require('./terminal')

/** Milliseconds that a stopped command may go on flushing. */
const STOP_DEADLINE = 5_000
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }

/** Joins, and resolves to the exit code. */
async function run(options) {
  const tell = (text) => { process.stderr.write(`p2pchan: ${printable(text)}\n`) }
  // It tells by itself what there is to say.
  if (!debug.enabled) setLog(null)
  // Nobody reads what is told any more: there is nobody to tell.
  process.stderr.on('error', () => {})
  let end
  try {
    end = await converse(options, tell)
  } catch (error) {
    end = failed(error)
  }
  if (end.why !== undefined) tell(end.why)
  await new Promise((resolve) => { process.stderr.write('', () => { resolve() }) })
  return end.code
}

/** How it ends: the exit code, and what to say. */
function failed(error) {
  if (error instanceof Failure) return { code: error.code, why: error.message }
  const wrong = error instanceof TypeError || ['ERR_P2PCHAN_INVALID', 'ERR_P2PCHAN_SETTINGS'].includes(error.code)
  if (wrong) return { code: 2, why: error.message }
  // What is neither ours nor the system's is a defect, and shows where.
  const expected = error instanceof P2PChanError || error.syscall !== undefined
  return { code: 1, why: expected ? error.message : error.stack }
}

async function converse(options, tell) {
  const ends = firstOf()
  listenForSignals(ends.resolve)
  const node = new Node(options.settings)
  let end
  let room
  try {
    await Promise.race([node.start(), ends.promise])
    if (!ends.isOver()) {
      tell(`this node is ${node.id}`)
      node.discover(options.phrase)
      for (const line of opened(node)) tell(line)
      const output = new Output(process.stdout, (error) => { ends.resolve(cannotWrite(error)) })
      room = new Room(node, options, output, tell)
      room.deliver(process.stdin).then(ends.resolve, (error) => { ends.resolve(failed(error)) })
    }
    end = await ends.promise
  } finally {
    const closing = node.close()
    const stopped = end !== undefined && end.code > 128
    await (stopped ? Promise.race([closing, after(STOP_DEADLINE)]) : closing)
  }
  if (end.code <= 128) await room?.everythingPrinted()
  return end
}

/** A promise of what comes first. */
function firstOf() {
  let over = false
  let resolve
  const promise = new Promise((first) => {
    resolve = (value) => {
      // With --until undefined means done; without it the end of the input is not the end.
      if (value === undefined) return
      over = true
      first(value)
    }
  })
  return { promise, resolve, isOver: () => over }
}

/** The first ends it cleanly, the second at once. */
function listenForSignals(end) {
  let count = 0
  for (const [signal, number] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (++count > 1) process.exit(128 + number)
      end({ code: 128 + number })
    })
  }
}

function cannotWrite(error) {
  // A reader that has enough, such as `head`.
  if (error.code === 'EPIPE') return { code: 0 }
  return { code: 1, why: `cannot write to standard output: ${error.message}` }
}

/** What there is to say about the sockets of the node. */
function * opened(node) {
  const { transport, warnings } = node.status()
  for (const { used_by: user, address } of transport.sockets) {
    yield `${user === 'listen' ? 'listening on' : `${user} uses`} ${address}`
  }
  for (const warning of warnings) yield `warning: ${warning}`
}

module.exports = { run }
