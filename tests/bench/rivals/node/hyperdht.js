'use strict'
// hyperdht, through which programs of hyperswarm connect: encrypted streams (Noise) over UDX, which is reliable over UDP.
// The accepting end runs a DHT of its own of three nodes on 127.0.0.1, so nobody else is asked, and it is reachable, so
// no hole has to be punched.
//
// As its documentation advises a message is one write, waits for "drain" when that answers false, and comes as one
// "data": its streams keep the bounds of what is written. Nothing is left to tune but what protomux does (protomux.js).

const { once } = require('node:events')
const DHT = require('hyperdht')
const createTestnet = require('hyperdht/testnet')

const HOST = '127.0.0.1'
const NODES = 3
const HELLO = Buffer.from('hello')
/** Milliseconds until the next try. On a busy machine a stream can be open at one end alone. */
const PATIENCE = 5000

/** An open stream; `announce` is told where `dialled` finds it. */
async function accepted(announce) {
  const testnet = await createTestnet(NODES, { host: HOST })
  const node = testnet.createNode({ ephemeral: false, firewalled: false })
  const server = node.createServer()
  await server.listen()
  announce(`${testnet.bootstrap[0].port}/${server.publicKey.toString('hex')}`)
  return new Promise((resolve) => {
    server.on('connection', async (stream) => {
      stream.on('error', () => {})
      await heard(stream)
      stream.write(HELLO)
      resolve(stream)
    })
  })
}

/** The other end of it. */
async function dialled(address) {
  const [port, publicKey] = address.split('/')
  const node = new DHT({ bootstrap: [{ host: HOST, port: Number(port) }], host: HOST })
  for (;;) {
    const stream = node.connect(publicKey)
    stream.on('error', () => {})
    stream.write(HELLO)
    const late = setTimeout(() => { stream.destroy() }, PATIENCE)
    const open = await Promise.race([heard(stream), once(stream, 'close').then(() => false)])
    clearTimeout(late)
    if (open) return stream
  }
}

/** Resolves to true once something has come, and holds back the rest. */
function heard(stream) {
  return new Promise((resolve) => {
    stream.once('data', () => {
      stream.pause()
      resolve(true)
    })
  })
}

/** Waits until the other end has gone. */
async function gone(stream) {
  await new Promise((resolve) => { stream.on('close', resolve) })
}

/** Goes once all that was written has arrived. */
async function go(stream) {
  await stream.flush()
  stream.destroy()
}

function link(stream, close) {
  return {
    send: (message) => stream.write(message),
    receive: (take) => stream.removeAllListeners('data').on('data', take),
    drain: (go) => stream.once('drain', go),
    close
  }
}

/** Both ends of a link that `link` makes of an open stream and of how it is closed. */
function ends(link) {
  return {
    async accept(announce) {
      const stream = await accepted(announce)
      return link(stream, () => gone(stream))
    },
    async dial(address) {
      const stream = await dialled(address)
      return link(stream, () => go(stream))
    }
  }
}

module.exports = { ...ends(link), ends }
