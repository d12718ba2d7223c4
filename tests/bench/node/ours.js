'use strict'
// p2pchan, without any setting tuned.

const { once } = require('node:events')
const { Node, setLog } = require('p2pchan')

// That nobody is looked for is meant so.
setLog(null)

/** What both ends discover: a raw topic, as deriving keys from a phrase takes 20 ms by design. */
const TOPIC = Buffer.alloc(32, 7)

async function accept(announce) {
  const node = new Node({ listen: 'tcp://127.0.0.1:0' })
  node.discoverTopic(TOPIC)
  await node.start()
  announce(node.addresses[0])
  const [remote] = await once(node, 'remote')
  return link(node, remote)
}

async function dial(address) {
  const node = new Node()
  node.discoverTopic(TOPIC)
  await node.start()
  return link(node, await node.connect(address))
}

function link(node, remote) {
  return {
    send: (message) => remote.send(message),
    receive: (take) => remote.removeAllListeners('data').on('data', take),
    drain: (go) => remote.once('drain', go),
    close: () => node.close()
  }
}

module.exports = { accept, dial }
