'use strict'
// A live channel to one peer: an object-mode Duplex over a native remote.

const { Duplex } = require('node:stream')
const { inspect } = require('node:util')
const { failure, fromNative, native: call } = require('./errors')
const { atMost, exactly, outgoing, sendMany, sendOne } = require('./outgoing')

/**
 * Messages that are kept for a program which does not read them now, and no more than those of one table beyond;
 * the native part keeps a window of them more at most, and then the peer waits. With 64, `for await` was a third slower.
 */
const READ_AHEAD = 256
/**
 * Messages that are kept beyond those which the connection takes; then write() answers false. As many go by one
 * call: with 16 a flood was slower, with more it was not faster.
 */
const WRITE_AHEAD = 64
/** The same in bytes: with more, even fewer messages answer false. */
const WRITE_BYTES = 1024 * 1024
/** Below this length every message is taken: limits.message is no smaller. */
const ALWAYS_TAKEN = 1024

// What only this package may call.
const kMessage = Symbol('message')
const kBroken = Symbol('broken')
const kWritable = Symbol('writable')
const kEnded = Symbol('ended')
const kOpen = Symbol('open')

/** After a tick: what was written meanwhile goes by one call. */
let sentAll

class Remote extends Duplex {
  #native
  #forget
  /** The native part tells of messages. */
  #flowing = false
  /** It has told of the end. */
  #over = false
  #reason = null
  /** What is thrown away when it comes. */
  #discarding = false
  /** The length of the longest message, once it was asked for. */
  #longest
  /** Bytes that were given to write() and not sent. */
  #kept = 0
  /** write() has answered false for #kept alone, and 'drain' is owed. */
  #owesDrain = false
  /** Chunks that wait for room: { chunks, place, callback, error }. */
  #held

  constructor(key, native, forget) {
    if (key !== kOpen) throw new TypeError('remotes are made by nodes: see Node, events "remote" and connect')
    super({ objectMode: true, readableHighWaterMark: READ_AHEAD, writableHighWaterMark: WRITE_AHEAD, allowHalfOpen: false })
    this.#native = native
    this.#forget = forget
    // An end comes even if nobody reads.
    this.read(0)
  }

  get peer() {
    return this.#native.peer
  }

  get subject() {
    return this.#native.subject
  }

  get address() {
    return this.#native.address
  }

  get transport() {
    return this.#native.transport
  }

  get relayed() {
    return this.#native.relayed
  }

  get rtt() {
    return this.#native.rtt
  }

  get reason() {
    return this.#reason
  }

  get writableNeedDrain() {
    return this.#owesDrain || super.writableNeedDrain
  }

  send(message) {
    return this.write(message)
  }

  write(message, encoding, callback) {
    const kept = outgoing(message)
    const length = atMost(kept)
    if (length > ALWAYS_TAKEN) this.#checkLength(kept, length)
    const goesOn = super.write(kept, encoding, callback)
    this.#kept += length
    if (!goesOn || this.#kept < WRITE_BYTES) return goesOn
    this.#owesDrain = true
    return false
  }

  end(message, encoding, callback) {
    if (typeof message === 'function') return super.end(message)
    if (message !== undefined && message !== null) this.write(message, typeof encoding === 'string' ? encoding : undefined)
    return super.end(typeof encoding === 'function' ? encoding : callback)
  }

  refuse() {
    if (!this.destroyed && !this.#over) this.#native.refuse()
    this.destroy()
  }

  async [Symbol.asyncDispose]() {
    this.#discarding = true
    if (this.readableLength > 0 && !this.#over) this.#native.leaveUnread()
    if (!this.closed) {
      const over = new Promise((resolve) => { this.once('close', resolve) })
      if (!this.destroyed) {
        this.end()
        this.resume()
      }
      await over
    }
    if (this.#reason !== null && this.#reason.code !== 'ERR_P2PCHAN_CLOSED') throw this.#reason
  }

  [Symbol.asyncIterator]() {
    return new Messages(this)
  }

  [inspect.custom](depth, options) {
    if (depth < 0) return '[Remote]'
    return `Remote ${inspect({ peer: this.peer.slice(0, 8), address: this.address }, options)}`
  }

  _read() {
    if (this.#flowing || this.#over) return
    this.#flowing = true
    this.#native.flow(true)
  }

  _write(kept, _, callback) {
    this.#send([{ chunk: kept }], 0, callback)
  }

  _writev(chunks, callback) {
    this.#send(chunks, 0, callback)
  }

  _final(callback) {
    if (!this.#over) {
      if (this.#discarding) this.#native.abandon()
      else this.#native.finish()
    }
    callback()
  }

  _destroy(error, callback) {
    if (!this.#over) {
      if (this.readableLength > 0) this.#native.leaveUnread()
      this.#native.abandon()
    }
    if (error !== null && this.#reason === null) this.#reason = error
    this.#release(error ?? this.#reason ?? failure('CLOSED', 'the remote was destroyed'))
    this.#forget()
    // Nobody has to listen to errors: `reason` tells of them too.
    callback(this.listenerCount('error') > 0 ? error : null)
  }

  /** A message has come. */
  [kMessage](message) {
    if (this.#discarding) this.#native.leaveUnread()
    if (this.#over || this.#discarding || this.push(message) || !this.#flowing) return
    this.#flowing = false
    this.#native.flow(false)
  }

  /** What has come is no message. */
  [kBroken](why) {
    if (this.#over || this.destroyed) return
    this.#native.abandon()
    this[kEnded](failure('PROTOCOL', `the peer marked as JSON what is none: ${why}`))
  }

  /** There is room again. */
  [kWritable]() {
    const held = this.#held
    if (held === undefined || held.error !== undefined) return
    this.#held = undefined
    this.#send(held.chunks, held.place, held.callback)
  }

  /** Nothing comes any more; `reason` is null after a clean end. */
  [kEnded](reason) {
    if (this.#over) return
    this.#over = true
    this.#reason ??= reason
    if (this.destroyed) return
    this.once('end', () => { this.#readToTheEnd() })
    this.push(null)
    // Without this 'end' would wait for somebody who reads.
    this.read(0)
  }

  #readToTheEnd() {
    const unsent = this.#held !== undefined || this.writableLength > 0
    const error = this.#reason ?? (unsent ? failure('CLOSED', 'the peer has ended; not everything was sent') : null)
    if (error !== null) this.destroy(error)
  }

  #checkLength(kept, atMostLong) {
    this.#longest ??= call(this.#native, 'longest')
    if (atMostLong <= this.#longest) return
    const length = exactly(kept)
    if (length > this.#longest) {
      throw failure('TOO_BIG', `message has ${length} bytes; messages to this peer have at most ${this.#longest}, ` +
        'the smaller limits.message of the two sides; send smaller ones')
    }
  }

  #send(chunks, from, callback) {
    let place = from
    try {
      if (chunks.length - from > 1) place = sendMany(this.#native, chunks, from)
      else if (sendOne(this.#native, chunks[from].chunk)) place++
    } catch (error) {
      this.#unsent({ chunks, place, callback, error: fromNative(error) })
      return
    }
    if (place < chunks.length) {
      this.#held = { chunks, place, callback }
      this.#native.awaitRoom()
      return
    }
    for (let sent = 0; sent < chunks.length; sent++) this.#kept -= atMost(chunks[sent].chunk)
    process.nextTick(sentAll, this, callback)
  }

  /** It has ended. What came before is not lost by that: whoever reads has it first. */
  #unsent(held) {
    if (this.#over && this.readableEnded) held.callback(this.#reason ?? held.error)
    else this.#held = held
  }

  /** No room comes any more. */
  #release(error) {
    const held = this.#held
    this.#held = undefined
    held?.callback(held.error ?? error)
  }

  static {
    sentAll = (remote, callback) => {
      callback()
      if (!remote.#owesDrain || remote.#kept >= WRITE_BYTES) return
      remote.#owesDrain = false
      if (!remote.destroyed && !remote.writableEnded) remote.emit('drain')
    }
  }
}

/** What `for await` uses: all messages, and at the end the reason, if that is an error. */
class Messages {
  #remote
  #waiting = []
  #wake = () => {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  constructor(remote) {
    this.#remote = remote
    for (const event of EVENTS) remote.on(event, this.#wake)
  }

  [Symbol.asyncIterator]() {
    return this
  }

  next() {
    const message = this.#remote.destroyed ? null : this.#remote.read()
    return message === null ? this.#later() : Promise.resolve({ value: message, done: false })
  }

  async #later() {
    for (;;) {
      const remote = this.#remote
      const message = remote.destroyed ? null : remote.read()
      if (message !== null) return { value: message, done: false }
      if (remote.closed || remote.readableEnded) {
        this.#leave()
        if (remote.reason !== null) throw remote.reason
        return { value: undefined, done: true }
      }
      await new Promise((resolve) => { this.#waiting.push(resolve) })
    }
  }

  /** Leaving the loop ends the remote, as with every stream. */
  return(value) {
    this.#leave()
    this.#remote.destroy()
    return Promise.resolve({ value, done: true })
  }

  async [Symbol.asyncDispose]() {
    await this.return()
  }

  #leave() {
    for (const event of EVENTS) this.#remote.off(event, this.#wake)
  }
}
const EVENTS = ['readable', 'end', 'close', 'error']

function open(native, forget) {
  return new Remote(kOpen, native, forget)
}

module.exports = { Remote, kBroken, kEnded, kMessage, kWritable, open }
