'use strict'
// Lines: what is typed as messages, and messages as they are printed.

const { isUtf8 } = require('node:buffer')
const { Failure } = require('./failure')

/** Bytes of a line: the default of `limits.message`, beyond which no peer takes it. */
const LONGEST_LINE = 16 * 1024 * 1024

/** What a peer wrote must not command the terminal, nor change the order in which others are shown. */
const UNPRINTABLE = /[\0-\x08\n-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g
const SHORT = { '\n': '\\n', '\r': '\\r' }

/** The lines of a stream of bytes, without what ends them. */
async function * linesOf(stream) {
  let number = 1
  /** Parts of a line that has not ended. */
  let begun = []
  let length = 0
  for await (const chunk of stream) {
    let from = 0
    for (let end; (end = chunk.indexOf(10, from)) >= 0; from = end + 1) {
      if (length + end - from > LONGEST_LINE) throw tooLong(number)
      yield Buffer.concat([...begun, chunk.subarray(from, end)])
      number++
      begun = []
      length = 0
    }
    begun.push(chunk.subarray(from))
    length += chunk.length - from
    if (length > LONGEST_LINE) throw tooLong(number)
  }
  if (length > 0) yield Buffer.concat(begun)
}

function tooLong(number) {
  return new Failure(`line ${number} is longer than ${LONGEST_LINE} bytes; it and what follows were not sent`)
}

/** A line as a message: text, or bytes if it is not UTF-8. */
function content(line) {
  return isUtf8(line) ? line.toString() : line
}

/** A message as it is printed: on one line, so that nobody can speak in the name of another. */
function shown(message) {
  if (Buffer.isBuffer(message)) return isUtf8(message) ? printable(message.toString()) : bytes(message)
  return printable(typeof message === 'string' ? message : JSON.stringify(message))
}

function printable(text) {
  return text.replace(UNPRINTABLE, escaped)
}

/** What is not UTF-8: all beyond ASCII as digits. */
function bytes(message) {
  return printable(message.toString('latin1')).replace(/[\x80-\xff]/g, escaped)
}

function escaped(character) {
  const code = character.charCodeAt(0)
  return SHORT[character] ?? (code < 256 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`)
}

function hex(code, digits) {
  return code.toString(16).padStart(digits, '0')
}

module.exports = { content, linesOf, printable, shown }
