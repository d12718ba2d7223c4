'use strict'
// Messages and all else on their way in: what one call of the native part tells, as src/records.rs says.

const { markAsUntransferable } = require('node:worker_threads')

/** What the first number of a record says. */
const WHAT = Object.freeze({
  BYTES: 0, TEXT: 1, JSON: 2, ASCII_TEXT: 3, ASCII_JSON: 4,
  LONG_BYTES: 5, LONG_TEXT: 6, LONG_JSON: 7,
  REMOTE: 8, WRITABLE: 9, ENDED: 10, RESULT: 11, FAILED: 12,
  NEWCOMER: 13, ASKED: 14, CANCELLED: 15
})
const NONE = 0xffffffff

/** Bytes of a slab: a thousand messages of 64 bytes, so that making one costs nothing beside them. */
const SLAB = 64 * 1024
/** Room for one short message, below which a slab is not used any more. */
const SHORT = 4096
/** Records of one table. */
const RECORDS = 1024
/**
 * Slabs that messages keep alive at once, 128 MiB; beyond, each message is copied out. V8 looks for dead ones
 * when 64 MiB have been added, so that a smaller cap would be reached by garbage alone.
 */
const MOST_SLABS = 2048

/** The class of buffers, whose constructor takes half the time of `subarray`. */
const Bytes = Buffer[Symbol.species]

/** Four numbers for each record; the first is about the table. Only for the time of one dispatch. */
const index = new Uint32Array(4 * (RECORDS + 1))

let alive = 0
const gone = new FinalizationRegistry(() => { alive-- })
let slab = Buffer.alloc(0)
let memory = slab.buffer
/** Where the slab is free: no message that is alive lies behind. */
let free = 0

/** Lets a native node write what has happened; records are read from `index`. */
function read(native) {
  if (slab.length - free < SHORT) {
    slab = Buffer.allocUnsafeSlow(SLAB)
    memory = slab.buffer
    free = 0
    // Whoever transferred one message to a worker would take all others along.
    markAsUntransferable(memory)
    alive++
    gone.register(memory)
  }
  native.dispatch(slab, index, free)
  return { records: index[0], extras: index[2] > 0 ? native.extras() : undefined, more: index[3] === 1, ended: index[3] === 2 }
}

/** Bytes that the program gets: a view while few slabs are alive, else a copy. */
function bytesAt(begin, end) {
  if (alive > MOST_SLABS) return Uint8Array.prototype.slice.call(slab, begin, end)
  free = end
  return new Bytes(memory, begin, end - begin)
}

/** The message in a record that has one. */
function messageAt(at, extras) {
  const begin = index[at + 2]
  const end = index[at + 3]
  switch (index[at]) {
    case WHAT.BYTES: return bytesAt(begin, end)
    case WHAT.TEXT: return slab.utf8Slice(begin, end)
    case WHAT.ASCII_TEXT: return slab.latin1Slice(begin, end)
    case WHAT.JSON: return JSON.parse(slab.utf8Slice(begin, end))
    case WHAT.ASCII_JSON: return JSON.parse(slab.latin1Slice(begin, end))
    case WHAT.LONG_JSON: return JSON.parse(extras[begin])
    default: return extras[begin]
  }
}

module.exports = { NONE, WHAT, index, messageAt, read }
