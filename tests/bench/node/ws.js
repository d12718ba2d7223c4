'use strict'
// ws, WebSockets over TCP. Not encrypted. As its documentation advises: bufferutil is installed, and nothing compressed.

const { once } = require('node:events')
const { WebSocket, WebSocketServer } = require('ws')

/** Bytes that wait to be sent, as many as p2pchan lets wait. ws itself has no bound. */
const MOST = 1 << 20
const OPTIONS = { perMessageDeflate: false, skipUTF8Validation: true }

async function accept(announce) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...OPTIONS })
  await once(server, 'listening')
  announce(`ws://127.0.0.1:${server.address().port}`)
  const [socket] = await once(server, 'connection')
  return link(socket, () => { server.close() })
}

async function dial(address) {
  const socket = new WebSocket(address, OPTIONS)
  await once(socket, 'open')
  return link(socket, () => {})
}

function link(socket, close) {
  let waits
  const sent = () => {
    if (waits === undefined || socket.bufferedAmount >= MOST / 4) return
    const go = waits
    waits = undefined
    go()
  }
  return {
    send(message) {
      const full = socket.bufferedAmount >= MOST
      // Only the callback tells that there is room again.
      socket.send(message, full ? sent : undefined)
      return !full
    },
    receive: (take) => socket.removeAllListeners('message').on('message', take),
    drain: (go) => { waits = go },
    close: async () => {
      socket.close()
      if (socket.readyState !== WebSocket.CLOSED) await once(socket, 'close')
      close()
    }
  }
}

module.exports = { accept, dial }
