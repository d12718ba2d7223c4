'use strict'
// Events by name and statistics, which are asked for only while somebody listens.

/** Those of docs/status.md. */
const NAMES = new Set([
  'listening', 'not_listening', 'opened', 'closed', 'announced', 'found', 'discovery_failed', 'dialling', 'dial_failed',
  'unreachable', 'remote_opened', 'remote_ended', 'refused', 'paused', 'resumed', 'warning', 'missed', 'event'
])

/** One stream, of events or of statistics: `open` makes it, `wanted` says whether anybody listens. */
class Told {
  #emitter
  #open
  #wanted
  #next
  #items

  /** `next` begins to wait for the next item, and resolves when it is here. */
  constructor(emitter, open, wanted, next) {
    this.#emitter = emitter
    this.#open = open
    this.#wanted = wanted
    this.#next = next
  }

  /** Begins, if somebody listens and it has not begun. */
  async listen() {
    if (this.#items !== undefined || !this.#wanted()) return
    this.#items = this.#open()
    const items = this.#items
    try {
      while (this.#wanted()) {
        await this.#next(items)
        const item = items.take()
        if (item === null) break
        this.#emit(item[0], JSON.parse(item[1]))
      }
    } catch {
      // The node has closed.
    } finally {
      items.stop()
      this.#items = undefined
    }
  }

  #emit(name, particulars) {
    try {
      this.#emitter.emit(name, particulars)
    } catch (error) {
      process.nextTick(() => { throw error })
    }
  }
}

module.exports = { NAMES, Told }
