'use strict'
// A discovery service that is told of addresses from elsewhere, at any time.

/** Addresses that are remembered: the newest. More than wait in a node for their dial, by default. */
const MOST = 256

class Found {
  /** { number, address, subject }, oldest first. */
  #all = []
  #number = 0
  /** Those who look: one for each topic of a node. */
  #waiting = new Set()

  constructor(name) {
    this.name = name
  }

  /** An address for one subject, or for all. One that was known counts as new. */
  add(address, subject) {
    this.#all = this.#all.filter((found) => found.address !== address || found.subject !== subject)
    this.#all.push({ number: ++this.#number, address, subject })
    if (this.#all.length > MOST) this.#all.shift()
    for (const wake of this.#waiting) wake()
  }

  /** Those of a subject, and then each that comes. */
  async * lookUp(topic, { signal }) {
    let seen = 0
    while (!signal.aborted) {
      const fresh = this.#all.filter(({ number, subject }) => {
        return number > seen && (subject === undefined || subject === topic.subject)
      })
      seen = this.#number
      for (const { address } of fresh) yield address
      if (seen === this.#number && !signal.aborted) await this.#next(signal)
    }
  }

  /** Until there is one more, or the signal is aborted. */
  #next(signal) {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.add(wake)
      signal.addEventListener('abort', wake)
    })
  }
}

module.exports = { Found }
