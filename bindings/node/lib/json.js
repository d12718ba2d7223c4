'use strict'
// JavaScript values as JSON, of which nothing is lost: what JSON does not have is refused, with its place.

const { types } = require('node:util')
const { bytesOf, describe } = require('./check')

/** Arrays and objects inside each other: as deep as all the other languages read. */
const DEPTH = 127
/** Characters of a key that an error shows. */
const SHOWN = 40

/** A value as JSON text. `name` is what the error calls it. */
function toJson(value, name, undefinedIsAbsent = false) {
  const fault = faultIn(value, '', DEPTH, undefinedIsAbsent)
  if (fault !== undefined) {
    const error = new TypeError(name + fault)
    error.code = 'ERR_INVALID_ARG_TYPE'
    throw error
  }
  return JSON.stringify(value)
}

/** The place inside the value, and what is wrong there; undefined if nothing is. */
function faultIn(value, key, depth, lax) {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? undefined : ' has half of a surrogate pair, which is no text'
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) ? undefined : ` is ${value}; JSON has only finite numbers`
    case 'object':
      return value === null ? undefined : faultInObject(value, key, depth, lax)
    default:
      return ` is ${describe(value)}; JSON has none`
  }
}

function faultInObject(value, key, depth, lax) {
  if (depth === 0) return ` is nested deeper than ${DEPTH} levels, or contains itself`
  if (Array.isArray(value)) {
    for (let place = 0; place < value.length; place++) {
      const fault = faultIn(value[place], place, depth - 1, lax)
      if (fault !== undefined) return `[${place}]${fault}`
    }
    return undefined
  }
  if (bytesOf(value) !== undefined) return ` is ${describe(value)}; bytes travel as a message of their own`
  if (typeof value.toJSON === 'function') return faultIn(value.toJSON(String(key)), key, depth - 1, lax)
  if (types.isBoxedPrimitive(value)) return faultIn(value.valueOf(), key, depth, lax)
  if (isExotic(value)) return ` is ${describe(value)}; JSON has none`
  for (const inner of Object.keys(value)) {
    if (lax && value[inner] === undefined) continue
    const fault = inner.isWellFormed() ? faultIn(value[inner], inner, depth - 1, lax) : ' has half of a surrogate pair'
    if (fault !== undefined) return step(inner) + fault
  }
  return undefined
}

/** JSON.stringify would make an empty object of it. */
function isExotic(value) {
  const prototype = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return false
  return types.isMap(value) || types.isSet(value) || types.isWeakMap(value) || types.isWeakSet(value) ||
    types.isPromise(value) || types.isRegExp(value) || types.isNativeError(value)
}

function step(key) {
  if (/^[A-Za-z_$][\w$]*$/.test(key) && key.length <= SHOWN) return `.${key}`
  const cut = key.slice(0, SHOWN)
  return `[${JSON.stringify(cut.length < key.length ? `${cut}…` : cut)}]`
}

module.exports = { toJson }
