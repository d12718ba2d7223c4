'use strict'
// All remotes that are open: what they say is printed, and what is typed goes to all of them.

const { once } = require('node:events')
const { Failure } = require('./failure')
const { content, linesOf, shown } = require('./terminal')

/** Milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1

class Room {
  #options
  #output
  #tell
  /** limits.remotes bounds both. */
  #open = new Set()
  /** Reading them: promises by remote. */
  #readers = new Map()
  /** Called when one has opened. */
  #opened = () => {}
  #lost = 0

  constructor(node, options, output, tell) {
    this.#options = options
    this.#output = output
    this.#tell = tell
    node.on('remote', (remote) => {
      this.#open.add(remote)
      this.#readers.set(remote, this.#read(remote))
      this.#opened()
    })
  }

  /** Delivers the input. With --until it resolves to the end when all have taken everything; else to nothing. */
  async deliver(input) {
    const { until, timeout } = this.#options
    await this.#waitFor(until ?? 1, timeout)
    let number = 0
    try {
      for await (const line of linesOf(input)) {
        number++
        while (!await this.#say(content(line), number)) await this.#waitFor(1)
      }
    } catch (error) {
      await this.#flush()
      throw error.syscall === 'read' ? new Failure(`cannot read standard input: ${error.message}`) : error
    }
    this.#tell(`end of input after ${number} lines`)
    if (until === undefined) return undefined
    await this.#flush()
    if (this.#lost > 0) throw new Failure('a remote was lost before it took everything')
    return { code: 0 }
  }

  /** Of a node that has closed. */
  async everythingPrinted() {
    await Promise.all(this.#readers.values())
    await this.#output.flush()
  }

  /** Prints what a remote says. */
  async #read(remote) {
    const name = nameOf(remote)
    let why = 'the peer has ended'
    this.#tell(`remote ${name} is open at ${remote.address}`)
    try {
      for await (const message of remote) await this.#output.write(`${name}: ${shown(message)}\n`)
    } catch (error) {
      why = error.message
      this.#lost++
    }
    this.#tell(`remote ${name} has ended: ${why}`)
    this.#open.delete(remote)
    this.#readers.delete(remote)
  }

  /** Whether anybody took the line, at the pace of the slowest. One that nobody took waits for the next remote. */
  async #say(message, number) {
    if (this.#options.until !== undefined && this.#open.size === 0) {
      throw new Failure(`no remote is left to take line ${number} and what follows`)
    }
    const taken = await Promise.all([...this.#open].map((remote) => this.#sayTo(remote, message, number)))
    return taken.includes(true)
  }

  #sayTo(remote, message, number) {
    if (!remote.writable) return false
    return new Promise((resolve, reject) => {
      try {
        remote.write(message, (error) => { resolve(!error) })
      } catch (error) {
        reject(new Failure(`line ${number} to ${nameOf(remote)}: ${error.message}`))
      }
    })
  }

  /** Ends all remotes, and waits until they have taken everything. */
  async #flush() {
    for (const remote of this.#open) remote.end()
    await Promise.all(this.#readers.values())
  }

  /** Until so many are open; `seconds` are for ever if they are not given. */
  async #waitFor(count, seconds) {
    const signal = seconds === undefined ? undefined : AbortSignal.timeout(Math.min(seconds * 1e3, LONGEST_TIMER))
    while (this.#usable() < count) {
      const opened = new Promise((resolve) => { this.#opened = resolve })
      await (signal === undefined ? opened : Promise.race([opened, once(signal, 'abort')]))
      if (signal?.aborted && this.#usable() < count) {
        throw new Failure(`${this.#usable()} of ${count} remotes opened within ${seconds} s`, 3)
      }
    }
  }

  /** Remotes that take messages. */
  #usable() {
    return [...this.#open].filter((remote) => remote.writable).length
  }
}

function nameOf(remote) {
  return remote.peer.slice(0, 8)
}

module.exports = { Room }
