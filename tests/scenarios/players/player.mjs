// The player in JavaScript, with Node: see the page beside it.

import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { crc32 } from 'node:zlib'
import { Node, P2PChanError } from 'p2pchan'

/** Text that is not longer is shown as it is. */
const SHORT = 256

/** One node at a time. */
let node
/** Remotes and what they have done, by name. */
const remotes = new Map()
/** Those that came by themselves and have no name yet, and who waits for one. */
let waiting = []
let waiters = []

function running() {
  if (node === undefined) throw new TypeError('there is no node')
  return node
}

/** What it can be told. */
const ORDERS = {
  async start({ settings }) {
    const made = new Node(settings)
    made.on('remote', (remote) => {
      waiting.push(remote)
      for (const look of waiters) look()
    })
    node = await made.start()
    return { id: node.id, addresses: node.addresses }
  },

  async stop() {
    const stopping = node
    node = undefined
    await stopping?.close()
    remotes.clear()
    waiting = []
  },

  addresses: () => ({ addresses: running().addresses }),
  status: () => ({ status: running().status() }),
  explain: ({ target }) => ({ explanation: running().explain(target) }),
  update: ({ settings }) => running().update(settings),

  async discover({ subject, secret, topic }) {
    const found = topic === undefined ? running().discover(subject, secret) : running().discoverTopic(Buffer.from(topic, 'hex'))
    await found.flushed()
  },

  forget({ subject, topic }) {
    if (topic === undefined) running().stopDiscover(subject)
    else running().stopDiscoverTopic(Buffer.from(topic, 'hex'))
  },

  async connect({ address, remote }) {
    return named(remote, await running().connect(address))
  },

  remote({ remote, subject }) {
    return new Promise((resolve) => {
      const look = () => {
        const place = waiting.findIndex((each) => subject === undefined || each.subject === subject)
        if (place < 0) return
        waiters = waiters.filter((each) => each !== look)
        resolve(named(remote, waiting.splice(place, 1)[0]))
      }
      waiters.push(look)
      look()
    })
  },

  waiting: () => ({ count: waiting.length }),

  send: ({ remote, ...what }) => taken(known(remote).remote, made(what)),

  /** As fast as `write` lets it, and until all is sent. */
  async flood({ remote: name, count, size }) {
    const it = known(name)
    const { remote } = it
    const fails = new AbortController()
    const sending = []
    for (let number = 0; number < count; number++) {
      const sent = taken(remote, message(number, number * 7919 % (size + 1))).then(() => { it.sent++ })
      sent.catch(() => { fails.abort() })
      sending.push(sent)
      if (remote.writableNeedDrain) await once(remote, 'drain', { signal: fails.signal }).catch(() => {})
    }
    await Promise.all(sending)
  },

  progress: ({ remote }) => ({ sent: known(remote).sent }),

  async recv({ remote }) {
    const { value: message, done } = await known(remote).messages.next()
    if (done) throw CLOSED
    if (Buffer.isBuffer(message)) return { kind: 'bytes', length: message.length, crc: crc32(message) }
    if (typeof message !== 'string') return { kind: 'json', value: JSON.stringify(message) }
    const bytes = Buffer.from(message)
    return { kind: 'text', length: bytes.length, crc: crc32(bytes), value: bytes.length <= SHORT ? message : null }
  },

  async drain({ remote, count = Infinity }) {
    const { messages } = known(remote)
    let [read, crc, end] = [0, 0, null]
    try {
      while (read < count) {
        const { value, done } = await messages.next()
        if (done) {
          end = 'OK'
          break
        }
        crc = crc32(value, crc)
        read++
      }
    } catch (error) {
      end = answerOf(error).error
    }
    return { count: read, crc, end }
  },

  finish({ remote }) {
    known(remote).remote.end()
  },

  end: ({ remote }) => known(remote).remote[Symbol.asyncDispose](),

  refuse({ remote }) {
    known(remote).remote.refuse()
  }
}

function known(name) {
  const it = remotes.get(name)
  if (it === undefined) throw new TypeError(`there is no remote ${name}`)
  return it
}

function named(name, remote) {
  remotes.set(name, { remote, messages: remote[Symbol.asyncIterator](), sent: 0 })
  const { peer, subject, address, transport } = remote
  return { peer, subject, address, transport }
}

function made({ hex, text, json, size }) {
  if (hex !== undefined) return Buffer.from(hex, 'hex')
  if (text !== undefined) return text
  return json === undefined ? message(0, size) : JSON.parse(json)
}

/** Resolves when the message is on its way. A stream that has ended would only say so in words of streams. */
function taken(remote, message) {
  if (!remote.writable) return Promise.reject(remote.reason ?? CLOSED)
  return new Promise((resolve, reject) => {
    remote.write(message, (error) => {
      if (error) reject(error)
      else resolve()
    })
  })
}

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

/** A message of a flood. */
function message(number, length) {
  const bytes = Buffer.alloc(4 + length)
  bytes.writeUInt32BE(number)
  bytes.fill(ALL_BYTES, 4)
  return bytes.subarray(0, length)
}

/** What streams tell by `writable` and `done`. */
const CLOSED = { code: 'ERR_P2PCHAN_CLOSED', message: 'the remote has ended' }

/** How an error is told. */
function answerOf(error) {
  const { code, message } = error
  if (error instanceof P2PChanError || error === CLOSED) return { error: code.replace('ERR_P2PCHAN_', ''), message }
  // What JavaScript calls a value that can never be right.
  if (error instanceof TypeError || error instanceof RangeError) return { error: 'INVALID', message }
  throw error
}

async function carryOut({ order, do: verb, ...arguments_ }) {
  let answer
  try {
    answer = await ORDERS[verb](arguments_)
  } catch (error) {
    answer = answerOf(error)
  }
  process.stdout.write(`${JSON.stringify({ order, ...answer })}\n`)
}

const orders = createInterface({ input: process.stdin })
orders.on('line', (line) => { void carryOut(JSON.parse(line)) })
orders.on('close', () => { process.exit(0) })
