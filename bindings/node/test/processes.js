'use strict'
// Processes that a test starts, what they print, and a DHT of their own.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { dirname, join } = require('node:path')
const { createInterface } = require('node:readline')
const { Node } = require('p2pchan')
const { DEADLINE } = require('./helpers')

/** The lines of a pipe. */
class Lines {
  seen = []
  #next = 0
  #ended = false
  #changed = resolvers()

  constructor(pipe) {
    const lines = createInterface({ input: pipe })
    lines.on('line', (line) => { this.#tell(() => this.seen.push(line)) })
    lines.on('close', () => { this.#tell(() => { this.#ended = true }) })
  }

  #tell(change) {
    change()
    this.#changed.resolve()
    this.#changed = resolvers()
  }

  /** The next line; undefined at the end. */
  async next() {
    while (this.#next === this.seen.length) {
      if (this.#ended) return undefined
      await inTime(this.#changed.promise, () => `nothing follows ${JSON.stringify(this.seen)}`)
    }
    return this.seen[this.#next++]
  }

  /** The next line with these words in it. */
  async until(words) {
    for (;;) {
      const line = await this.next()
      if (line === undefined) throw new Error(`no ${words} in ${JSON.stringify(this.seen)}`)
      if (line.includes(words)) return line
    }
  }

  /** All that comes until the end. */
  async rest() {
    const lines = []
    for (let line; (line = await this.next()) !== undefined;) lines.push(line)
    return lines
  }
}

function resolvers() {
  const all = {}
  all.promise = new Promise((resolve) => { all.resolve = resolve })
  return all
}

/** What a promise gives, unless it takes too long. */
function inTime(promise, why) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => { reject(new Error(`nothing within ${DEADLINE} ms: ${why()}`)) }, DEADLINE)
  })
  return Promise.race([promise, late]).finally(() => { clearTimeout(timer) })
}

/** A process that is killed when the test is over. */
class Process {
  constructor(context, program, parameters, environment) {
    const without = Object.entries(process.env).filter(([name]) => !name.startsWith('P2PCHAN_'))
    this.child = spawn(program, parameters, { env: { ...Object.fromEntries(without), ...environment } })
    this.output = new Lines(this.child.stdout)
    this.errors = new Lines(this.child.stderr)
    this.ended = once(this.child, 'exit')
    // It may have ended before it was told everything.
    this.child.stdin.on('error', () => {})
    context.after(async () => {
      this.child.kill('SIGKILL')
      await this.ended
    })
  }

  say(...lines) {
    this.child.stdin.write(lines.map((line) => `${line}\n`).join(''))
  }

  /** The end of its input. */
  hangUp() {
    this.child.stdin.end()
  }

  /** Its exit code, or the signal that killed it. */
  async wait() {
    const [code, signal] = await inTime(this.ended, () => `it does not end: ${this.errors.seen.join('\n')}`)
    return code ?? signal
  }
}

/** This Node, with everything that it can complain of. */
function script(context, parameters, environment) {
  return new Process(context, process.execPath, ['--trace-warnings', '--unhandled-rejections=strict', ...parameters], environment)
}

/**
 * A script whose nodes stay on this machine, whatever it says: it is meant for the world. The DHT that it asks is
 * entered at `entrance`.
 */
function redirected(context, entrance, parameters, environment) {
  const preload = ['--require', join(__dirname, 'redirect.js')]
  return script(context, [...preload, ...parameters], { ...environment, P2PCHAN_TEST_ENTRANCE: entrance })
}

/** A BitTorrent DHT on loopback that begins with one node: the address of that one. */
async function network(context) {
  const node = await new Node({ discovery: { bittorrent: { bootstrap: [], address: '127.0.0.1' } } }).start()
  context.after(() => node.close())
  const socket = node.status().transport.sockets.find((each) => each.used_by === 'bittorrent')
  return socket.address.replace('udp://', '')
}

/** Where the package is installed, and what its check put beside it. */
const PACKAGE = dirname(require.resolve('p2pchan/package.json'))
const INSTALLED = dirname(__dirname)

module.exports = { INSTALLED, PACKAGE, Process, network, redirected, script }
