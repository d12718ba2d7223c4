// A chat: a line typed here appears at everybody who has the same subject.
//
//     node chat.js "My Cool Service 1.0" listen=0.0.0.0:0 discovery.bittorrent.bootstrap=public

const { once } = require('node:events')
const { createInterface } = require('node:readline')
const { Node } = require('p2pchan')

/** What somebody says, until they leave. */
function show(remote) {
  const name = remote.peer.slice(0, 8)
  console.log(`+ ${name} at ${remote.address}`)
  remote.on('data', (message) => console.log(`${name}:`, String(message)))
  remote.on('end', () => {
    if (remote.reason) console.log(`! ${name}: ${remote.reason.message}`)
    console.log(`- ${name}`)
  })
}

/** To everybody who is there, at the pace of who reads slowest. */
async function say(node, line) {
  for (const remote of node.remotes()) {
    // Whoever leaves meanwhile is told of where they are read.
    if (remote.writable && !remote.send(line)) await Promise.race([once(remote, 'drain'), once(remote, 'close')])
  }
}

async function chat(subject, settings) {
  const node = new Node(settings)
  node.on('remote', show)
  node.discover(subject)
  await node.start()
  const lines = createInterface({ input: process.stdin })
  process.once('SIGINT', () => lines.close())
  for await (const line of lines) await say(node, line)
  // What was said goes out.
  await node.close()
}

const [subject, ...settings] = process.argv.slice(2)
if (subject === undefined) {
  console.error('usage: chat.js SUBJECT [SETTING=VALUE]...')
  process.exitCode = 1
} else {
  chat(subject, Object.fromEntries(settings.map((setting) => setting.split(/=(.*)/s))))
}
