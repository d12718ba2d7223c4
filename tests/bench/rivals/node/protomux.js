'use strict'
// hyperdht with protomux, which programs of hyperswarm use above it, and whose documentation tells how to make short
// messages cheap: between `cork` and `uncork` they are gathered and sent as one. So a turn of the event loop gathers its
// messages, 64 KiB at most.

const Protomux = require('protomux')
const c = require('compact-encoding')
const { ends } = require('./hyperdht')

/** Bytes that are gathered at most. */
const MOST = 64 << 10

async function link(stream, close) {
  const mux = new Protomux(stream)
  let [waits, gathered] = [undefined, 0]
  const ondrain = () => {
    if (waits === undefined) return
    const go = waits
    waits = undefined
    go()
  }
  const channel = mux.createChannel({ protocol: 'bench', ondrain })
  // What comes before anybody receives.
  const early = []
  let take = (message) => { early.push(message) }
  const onmessage = (message) => {
    try {
      take(message)
    } catch (error) {
      // protomux itself would only close the stream.
      process.nextTick(() => { throw error })
    }
  }
  const messages = channel.addMessage({ encoding: c.raw, onmessage })
  const uncork = () => {
    if (gathered === 0) return
    gathered = 0
    mux.uncork()
  }
  channel.open()
  await channel.fullyOpened()
  return {
    send(message) {
      if (gathered === 0) {
        mux.cork()
        queueMicrotask(uncork)
      }
      gathered += message.length
      messages.send(message)
      if (gathered >= MOST) uncork()
      return mux.drained
    },
    receive(receiver) {
      take = receiver
      for (const message of early.splice(0)) onmessage(message)
    },
    drain(go) { waits = go },
    close
  }
}

module.exports = ends(link)
