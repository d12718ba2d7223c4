'use strict'
// What programs pass: everything of the wrong type is named at once.

const { types } = require('node:util')

/** A value as an error names it: "a string", "an array", "undefined". */
function describe(value) {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  if (typeof value !== 'object') return article(typeof value)
  if (Array.isArray(value)) return 'an array'
  const name = value.constructor?.name
  return typeof name === 'string' && name !== '' && name !== 'Object' ? article(name) : 'an object'
}

function article(name) {
  return `${/^[aeiou]/i.test(name) ? 'an' : 'a'} ${name}`
}

function wrong(name, expected, value) {
  const error = new TypeError(`${name} must be ${expected}, and is ${describe(value)}`)
  error.code = 'ERR_INVALID_ARG_TYPE'
  return error
}

function string(value, name) {
  if (typeof value !== 'string') throw wrong(name, 'a string', value)
  if (!value.isWellFormed()) throw halved(name)
  return value
}

function halved(name) {
  const error = new TypeError(`${name} has half of a surrogate pair, which is no text`)
  error.code = 'ERR_INVALID_ARG_VALUE'
  return error
}

function optional(check, value, name) {
  return value === undefined || value === null ? undefined : check(value, name)
}

function func(value, name) {
  if (typeof value !== 'function') throw wrong(name, 'a function', value)
  return value
}

function object(value, name) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw wrong(name, 'an object', value)
  return value
}

function signal(value, name) {
  if (value === null || typeof value !== 'object' || typeof value.aborted !== 'boolean' ||
      typeof value.addEventListener !== 'function') throw wrong(name, 'an AbortSignal', value)
  return value
}

/** The signal in the options of a call, if there is one. */
function signalOf(options) {
  return options === undefined ? undefined : optional(signal, object(options, 'options').signal, 'options.signal')
}

/** The bytes of anything that has some, without copying them; undefined if it has none. */
function bytesOf(value) {
  if (types.isUint8Array(value)) return value
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  if (types.isAnyArrayBuffer(value)) return new Uint8Array(value)
  return undefined
}

/** The 32 bytes of a topic. */
function topic(value) {
  const bytes = bytesOf(value)
  if (bytes === undefined) throw wrong('topic', '32 bytes, such as a Buffer', value)
  if (bytes.length !== 32) {
    const error = new RangeError(`topic must be 32 bytes, and has ${bytes.length}; for a phrase use discover`)
    error.code = 'ERR_OUT_OF_RANGE'
    throw error
  }
  return Buffer.from(bytes)
}

module.exports = { article, bytesOf, describe, func, halved, object, optional, signal, signalOf, string, topic, wrong }
