'use strict'
// Raw TCP by Node's own net, which is what every program in Node pays. Not encrypted. Four bytes of length before each
// message, as raw.rs has them; both go by one write.

const { once } = require('node:events')
const { connect, createServer } = require('node:net')

const HEADER = 4
const OPTIONS = { noDelay: true }

async function accept(announce) {
  const server = createServer(OPTIONS)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  announce(`${server.address().port}`)
  const [socket] = await once(server, 'connection')
  return link(socket, () => { server.close() })
}

async function dial(port) {
  const socket = connect({ ...OPTIONS, host: '127.0.0.1', port: Number(port) })
  await once(socket, 'connect')
  return link(socket, () => {})
}

function link(socket, close) {
  return {
    send: (message) => socket.write(framed(message)),
    receive: (take) => {
      const messages = new Messages(take)
      socket.removeAllListeners('data').on('data', (bytes) => { messages.take(bytes) })
    },
    drain: (go) => socket.once('drain', go),
    close: async () => {
      socket.end()
      if (!socket.closed) await once(socket, 'close')
      close()
    }
  }
}

function framed(message) {
  const frame = Buffer.allocUnsafe(HEADER + message.length)
  frame.writeUInt32LE(message.length)
  frame.set(message, HEADER)
  return frame
}

/** Takes messages out of what comes, which may hold many or a part of one. */
class Messages {
  #take
  #rest = Buffer.alloc(0)

  constructor(take) {
    this.#take = take
  }

  take(bytes) {
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    while (rest.length >= HEADER && rest.length >= HEADER + rest.readUInt32LE()) {
      const end = HEADER + rest.readUInt32LE()
      this.#take(rest.subarray(HEADER, end))
      rest = rest.subarray(end)
    }
    this.#rest = rest
  }
}

module.exports = { accept, dial }
