'use strict'
// Nodes on loopback, and a deadline for every test.

const test = require('node:test')
const { once } = require('node:events')
const { Node } = require('p2pchan')

const DEADLINE = 60_000
const SUBJECT = 'A subject of the tests'

/** A node that accepts connections on loopback. */
function listening(settings, options) {
  return new Node({ listen: 'tcp://127.0.0.1:0', ...settings }, options)
}

/** Two nodes and the remotes between them, closed when the test is over. */
async function pair(context, settings) {
  const [near, far] = [listening(settings), listening(settings)]
  context.after(() => Promise.all([near.close(), far.close()]))
  for (const node of [near, far]) {
    node.discover(SUBJECT)
    await node.start()
  }
  const opened = once(near, 'remote')
  const there = await far.connect(near.addresses[0])
  const [here] = await opened
  return { near, far, here, there }
}

/** A test with a deadline. */
function it(behaviour, run) {
  test(behaviour, { timeout: DEADLINE }, run)
}

/** So many messages. */
async function take(remote, count) {
  const messages = []
  if (count === 0) return messages
  for await (const message of remote.iterator({ destroyOnReturn: false })) {
    messages.push(message)
    if (messages.length === count) return messages
  }
  throw new Error(`the remote ended after ${messages.length} of ${count} messages`)
}

/** Until it has closed, or at once. `once` would listen to errors. */
function closed(remote) {
  return new Promise((resolve) => {
    if (remote.closed) resolve()
    else remote.once('close', resolve)
  })
}

module.exports = { DEADLINE, SUBJECT, closed, it, listening, pair, take }
