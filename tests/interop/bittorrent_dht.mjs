// A network of the npm package bittorrent-dht on 127.0.0.1, driven through lines of text.
//
// When all nodes know the network it prints one line: the address of an entrance, IP:PORT.
// Then each line of standard input is a command, answered with one line:
//   announce KEY PORT    the last node announces that port under the key (40 hex digits): "done"
//   look_up KEY          the last node looks the key up: the addresses it found, with spaces between
// It ends with standard input.

import { createInterface } from 'node:readline'
import DHT from 'bittorrent-dht'

const NODES = 12
const HOST = '127.0.0.1'

function start (bootstrap) {
  const node = new DHT({ bootstrap, host: HOST })
  return new Promise((resolve, reject) => {
    node.on('error', reject)
    node.listen(0, HOST, () => {
      if (bootstrap === false) resolve(node)
      else node.once('ready', () => resolve(node))
    })
  })
}

function announce (node, key, port) {
  return new Promise((resolve, reject) => {
    node.announce(key, port, error => error ? reject(error) : resolve('done'))
  })
}

function lookUp (node, key) {
  const found = new Set()
  const hear = (peer, infoHash) => {
    if (infoHash.toString('hex') === key) found.add(`${peer.host}:${peer.port}`)
  }
  node.on('peer', hear)
  return new Promise((resolve, reject) => {
    node.lookup(key, error => {
      node.off('peer', hear)
      if (error) reject(error)
      else resolve([...found].join(' '))
    })
  })
}

const nodes = [await start(false)]
const entrance = `${HOST}:${nodes[0].address().port}`
while (nodes.length < NODES) nodes.push(await start([entrance]))
console.log(entrance)

const user = nodes.at(-1)
for await (const line of createInterface({ input: process.stdin })) {
  const [command, key, port] = line.split(' ')
  const answer = command === 'announce' ? announce(user, key, Number(port)) : lookUp(user, key)
  console.log(await answer.catch(error => `failed: ${error.message}`))
}
process.exit()
