'use strict'
// Messages on their way out: many short ones go to the native part in one piece of memory, by one call.

const { types } = require('node:util')
const { bytesOf } = require('./check')
const { toJson } = require('./json')

const BYTES = 0
const TEXT = 1
const JSON_TEXT = 2

/** Messages from this length on go alone, without being copied first. */
const LONG = 16 * 1024
/** Messages that go by one call. */
const MOST = 256

/** A value that travels as JSON: its text as it was when it was sent. */
class Json {
  constructor(text) {
    this.text = text
  }
}

/**
 * What is kept of a message until it is sent: bytes as they are, text, or Json.
 * Throws TypeError for what cannot travel.
 */
function outgoing(message) {
  if (message === null) {
    const error = new TypeError('message is null, which cannot travel by itself; put it into an array or an object')
    error.code = 'ERR_INVALID_ARG_VALUE'
    throw error
  }
  if (typeof message === 'string' && message.isWellFormed()) return message
  return bytesOf(message) ?? new Json(toJson(message, 'message'))
}

/** Its length in bytes; text may be counted three times as long as it is. */
function atMost(kept) {
  return typeof kept === 'string' ? kept.length * 3 : kept instanceof Json ? kept.text.length * 3 : kept.length
}

/** Its length in bytes. */
function exactly(kept) {
  return typeof kept === 'string' || kept instanceof Json ? Buffer.byteLength(kept.text ?? kept) : kept.length
}

// Used for the time of one call only.
const slab = Buffer.allocUnsafeSlow(64 * 1024)
const index = new Uint32Array(3 * MOST)

/** Sends one; false if there is no room. */
function sendOne(native, kept) {
  if (typeof kept === 'string') return sendText(native, TEXT, kept)
  if (kept instanceof Json) return sendText(native, JSON_TEXT, kept.text)
  if (kept.length >= LONG) return native.send(BYTES, unshared(kept), kept.length)
  slab.set(kept, 0)
  return native.send(BYTES, slab, kept.length)
}

function sendText(native, kind, text) {
  if (text.length * 3 <= slab.length) return native.send(kind, slab, slab.utf8Write(text, 0, slab.length))
  const bytes = Buffer.from(text)
  return native.send(kind, bytes, bytes.length)
}

/** What other threads may write to meanwhile is copied. */
function unshared(bytes) {
  return types.isSharedArrayBuffer(bytes.buffer) ? new Uint8Array(bytes) : bytes
}

/**
 * Sends chunks, which are what a stream gives to `_writev`, from that place on: the place of the first that was
 * not sent for lack of room.
 */
function sendMany(native, chunks, from) {
  for (let place = from; place < chunks.length;) {
    const next = fill(chunks, place)
    if (next === place) {
      if (!sendOne(native, chunks[place].chunk)) return place
      place++
    } else {
      const sent = native.sendMany(slab, index, next - place)
      if (sent === 0) return place
      place += sent
    }
  }
  return chunks.length
}

/** Fills the slab from that place on: the place of the first that is not in it. A long one never is. */
function fill(chunks, from) {
  let at = 0
  let place = from
  for (; place < chunks.length && place - from < MOST; place++) {
    const kept = chunks[place].chunk
    const most = atMost(kept)
    if (most >= LONG || at + most > slab.length) break
    const record = 3 * (place - from)
    index[record + 1] = at
    if (typeof kept === 'string') {
      index[record] = TEXT
      at += slab.utf8Write(kept, at, most)
    } else if (kept instanceof Json) {
      index[record] = JSON_TEXT
      at += slab.utf8Write(kept.text, at, most)
    } else {
      index[record] = BYTES
      slab.set(kept, at)
      at += kept.length
    }
    index[record + 2] = at
  }
  return place
}

module.exports = { atMost, exactly, outgoing, sendMany, sendOne }
