'use strict'
// The messages that are sent, and how the receiver knows that they arrived: as ../python/messages.py. Both ends make
// the same messages in advance, which are sent again and again, and the receiver compares each with the one that must
// come next: short ones as a whole, of longer ones the length, the first 64 bytes and 64 more in a place that changes.

/** Ends a flood, and asks for the count; ends round trips too. Shorter than any message. */
const END = Buffer.from('end')

/** Bytes that the messages have together. */
const RING = 64 << 10
const LINE = 64
/** From here on comparing all bytes would be a part of the measurement. */
const LONG = 4 << 10

class Ring {
  #next = 0
  #place = 0

  constructor(size) {
    this.size = size
    this.messages = []
    // Numbers that look random, the same at both ends: xorshift.
    let state = size | 1
    for (let number = 0; number < Math.max(2, Math.floor(RING / size)); number++) {
      const message = Buffer.alloc(size)
      for (let at = 0; at < size; at++) {
        state ^= state << 13
        state ^= state >>> 17
        state ^= state << 5
        message[at] = state
      }
      this.messages.push(message)
    }
  }

  /** The next message to be sent. */
  next() {
    const message = this.messages[this.#next]
    if (++this.#next === this.messages.length) this.#next = 0
    return message
  }

  /** Whether a flood goes on: throws if this is neither the message that must come next nor the end. */
  goesOn(message) {
    const expected = this.messages[this.#next]
    if (this.size < LONG ? expected.equals(message) : this.#seemsEqual(message, expected)) {
      if (++this.#next === this.messages.length) this.#next = 0
      return true
    }
    if (END.equals(message)) return false
    throw new Error(`a message of ${message.length} bytes is not the one that had to come next`)
  }

  #seemsEqual(message, expected) {
    if (message.length !== this.size) return false
    const place = this.#place = (this.#place + 4099) % (this.size - LINE)
    return expected.compare(message, 0, LINE, 0, LINE) === 0 &&
      expected.compare(message, place, place + LINE, place, place + LINE) === 0
  }
}

module.exports = { END, Ring }
