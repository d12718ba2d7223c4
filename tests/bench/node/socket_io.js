'use strict'
// socket.io, on which p2pchannels stood. Not encrypted. As its documentation advises: WebSockets from the beginning,
// bufferutil is installed, and the parser for binary messages sends each in one frame.

const { once } = require('node:events')
const { createServer } = require('node:http')

/** Packets that wait to be sent in socket.io itself, which has no bound. */
const MOST = 256
const OPTIONS = { transports: ['websocket'], parser: require('socket.io-msgpack-parser') }

async function accept(announce) {
  const { Server } = require('socket.io')
  const http = createServer()
  const server = new Server(http, { ...OPTIONS, serveClient: false, maxHttpBufferSize: 1 << 26 })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  announce(`http://127.0.0.1:${http.address().port}`)
  const socket = await new Promise((resolve) => { server.on('connection', resolve) })
  const gone = once(socket, 'disconnect')
  return link(socket, socket.conn, async () => {
    await gone
    server.close()
  })
}

async function dial(address) {
  const { io } = require('socket.io-client')
  const socket = io(address, OPTIONS)
  await new Promise((resolve) => { socket.on('connect', resolve) })
  return link(socket, socket.io.engine, () => { socket.disconnect() })
}

function link(socket, engine, close) {
  return {
    send(message) {
      socket.emit('data', message)
      return engine.writeBuffer.length < MOST
    },
    receive: (take) => socket.removeAllListeners('data').on('data', take),
    drain: (go) => engine.once('drain', go),
    close
  }
}

module.exports = { accept, dial }
