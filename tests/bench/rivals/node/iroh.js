'use strict'
// iroh through its package for Node: one QUIC stream. Without its relays and its discovery (`presetMinimal`, no relay):
// both ends are on 127.0.0.1, and the dialling end is told the address. It asks the router for ports all the same, so it
// is run where there is none (../isolated).
//
// A stream has no messages, so four bytes of length stand before each. What its package takes and gives are arrays of
// numbers, not buffers, and each write is a promise; so what is sent while one is under way is gathered for the next,
// which for short ones is four times as fast as a write for each. Its documentation names nothing that makes it faster.

const { Endpoint, EndpointAddr, EndpointId, RelayMode, presetMinimal } = require('@number0/iroh/index.js')

const ALPN = Array.from(Buffer.from('bench'))
/** Bytes of length before each message. */
const HEAD = 4
/** Bytes of a read or a write. */
const MOST = 64 << 10
/** Bytes that wait to be written; more would only make the end of a flood long. */
const WAITING = 256 << 10

async function endpoint() {
  const builder = Endpoint.builder()
  presetMinimal(builder)
  builder.relayMode(RelayMode.disabled())
  builder.bindAddr('127.0.0.1:0')
  builder.alpns([ALPN])
  return builder.bind()
}

async function accept(announce) {
  const node = await endpoint()
  announce(`${node.boundSockets()[0]}/${node.id()}`)
  const accepting = await (await node.acceptNext()).accept()
  const connection = await accepting.connect()
  const stream = await connection.acceptBi()
  await stream.recv.readExact(HEAD)
  return link(stream, async () => {
    await connection.closed()
    await node.close()
  })
}

async function dial(address) {
  const [socket, id] = address.split('/')
  const node = await endpoint()
  const connection = await node.connect(new EndpointAddr(EndpointId.fromString(id), null, [socket]), ALPN)
  const stream = await connection.openBi()
  // The other end learns of a stream with its first bytes.
  await stream.send.writeAll([0, 0, 0, 0])
  const sender = stream.send
  return link(stream, async () => {
    await sender.finish()
    await sender.stopped()
    connection.close(0n, [])
    await node.close()
  })
}

function link(stream, close) {
  const writer = new Writer(stream.send)
  let take
  let reading
  return {
    send: (message) => writer.write(message),
    receive(receiver) {
      take = receiver
      reading ??= read(stream.recv, (message) => take(message))
    },
    drain(go) { writer.drain = go },
    async close() {
      await writer.flushed
      await close()
      await reading
    }
  }
}

/** Writes what has gathered, one write after the other. */
class Writer {
  #stream
  #frames = []
  #length = 0
  drain = undefined
  flushed = undefined

  constructor(stream) {
    this.#stream = stream
  }

  write(message) {
    const head = Buffer.allocUnsafe(HEAD)
    head.writeUInt32LE(message.length)
    this.#frames.push(head, message)
    this.#length += HEAD + message.length
    this.flushed ??= this.#flush()
    return this.#length < WAITING
  }

  async #flush() {
    // First the turn of the event loop in which it began.
    await undefined
    while (this.#length > 0) {
      const bytes = Buffer.concat(this.#frames, this.#length)
      this.#frames = []
      this.#length = 0
      for (let at = 0; at < bytes.length; at += MOST) {
        await this.#stream.writeAll(Array.from(bytes.subarray(at, at + MOST)))
      }
      const go = this.drain
      this.drain = undefined
      go?.()
    }
    this.flushed = undefined
  }
}

/** Takes messages out of what is read until the stream ends. */
async function read(stream, take) {
  let rest = Buffer.alloc(0)
  for (;;) {
    const bytes = await stream.read(MOST).catch(() => [])
    if (bytes.length === 0) return
    rest = Buffer.concat([rest, Buffer.from(bytes)])
    let at = 0
    while (rest.length - at >= HEAD) {
      const end = at + HEAD + rest.readUInt32LE(at)
      if (end > rest.length) break
      take(rest.subarray(at + HEAD, end))
      at = end
    }
    rest = rest.subarray(at)
  }
}

module.exports = { accept, dial }
