'use strict'
// Errors: one class, with the code of the kind, which is the same in all languages.

const PREFIX = 'ERR_P2PCHAN_'

/** What goes wrong in p2pchan. Branch on `code`; the message is for people. */
class P2PChanError extends Error {
  constructor(code, message, options) {
    super(message, options)
    this.code = code
  }
}
// As Node's own errors have it: not an own property, not enumerable.
Object.defineProperty(P2PChanError.prototype, 'name', { value: 'P2PChanError', configurable: true, writable: true })

/** The error of a kind, by its name without the prefix. */
function failure(kind, message) {
  return new P2PChanError(PREFIX + kind, message)
}

const closed = () => failure('CLOSED', 'the node has stopped')

/** What the native part has thrown. A panic, or what it is never given, is a defect. */
function fromNative(error) {
  const known = typeof error.code === 'string' && kinds().has(error.code)
  return failure(known ? error.code : 'INTERNAL', error.message)
}

let known
function kinds() {
  known ??= new Set(require('./native').codes())
  return known
}

/** Calls a method of the native part; its errors begin where the program called. */
function native(object, method, ...values) {
  try {
    return object[method](...values)
  } catch (error) {
    throw fromNative(error)
  }
}

module.exports = { P2PChanError, closed, failure, fromNative, native }
