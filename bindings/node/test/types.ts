// The types as programs use them, and what they refuse: only checked, never run.

import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import {
  Discovery, Node, P2PChanError, P2PChannels, Remote, type Code, type DiscoveryService, type LogLevel, type Message,
  type Settings, setLog
} from 'p2pchan'

const settings: Settings = {
  listen: ['tcp://0.0.0.0:0', '[::]:0'], discovery: { bittorrent: { bootstrap: 'public' } }, 'limits.message': '1MiB'
}

class Bulletin implements DiscoveryService {
  readonly name = 'bulletin'
  readonly board = new Map<string, readonly string[]>()
  async announce({ findKey, addresses }: { findKey: Buffer, addresses: readonly string[] }) {
    this.board.set(findKey.toString('hex'), addresses)
  }
  async * lookUp({ findKey }: { findKey: Buffer }, { signal }: { signal: AbortSignal }) {
    signal.throwIfAborted()
    yield * this.board.get(findKey.toString('hex')) ?? []
  }
}

setLog('debug', (level: LogLevel, line: string) => { void [level, line] })
setLog(null)

export async function talk(signal: AbortSignal): Promise<void> {
  const node: Node = await new Node(settings, { refuse: async ({ peer }) => peer.startsWith('0') }).start({ signal })
  node.on('remote', (remote) => {
    remote.on('data', (message) => { if (typeof message !== 'string' && Buffer.isBuffer(message)) message.subarray(1) })
    remote.on('end', () => {}).once('drain', () => {})
    const goesOn: boolean = remote.send('Hello, dude!') && remote.send({ yo: 'ppl' }) && remote.write(new Uint8Array(1))
    remote.end([goesOn, null], () => {})
  })
  node.on('stats', (stats) => { const count: number | undefined = stats['remotes']; void count })
  node.on('unreachable', ({ address }) => { if (typeof address === 'string') address.at(0) })
  const discovery: Discovery = node.discover('My Cool Service 1.0', 'a secret')
  await discovery.flushed({ signal })
  node.discoverTopic(Buffer.alloc(32)).stop()
  const [came]: [Remote] = await once(node, 'remote') as [Remote]
  const remote: Remote = await node.connect('tcp://192.0.2.7:8099', { signal })
  for await (const message of remote) { const heard: Message = message; void heard }
  for await (const other of node) await pipeline(other, came)
  await node.update({ listen: null, paused: true })
  const error: P2PChanError | null = remote.reason instanceof P2PChanError ? remote.reason : null
  const code: Code | undefined = error?.code
  if (code === 'ERR_P2PCHAN_TIMEOUT') node.unref().ref()
  await remote[Symbol.asyncDispose]()
  await node.close()
}

export function asBefore(): P2PChannels {
  const p2pChannels = new P2PChannels()
  p2pChannels.listen(8099).listen('8100', '127.0.0.1', () => {})
  p2pChannels.addDiscoveryService(new P2PChannels.BitTorrentDHT(55055, { bootstrap: [] }))
  p2pChannels.on('remote', (remote) => {
    const named: P2PChannels.Remote = remote
    named.on('data', (message: Message) => { remote.send([message]) }).on('end', () => {})
  })
  return p2pChannels.discover('x') ? p2pChannels : p2pChannels.unref()
}

new Node().addDiscoveryService(new Bulletin())

// @ts-expect-error settings are an object
new Node(5)
// @ts-expect-error a subject is text
new Node().discover(5)
// @ts-expect-error there is no such option
new Node({}, { refused: () => true })
// @ts-expect-error a port has a number
new P2PChannels().listen('x')
// @ts-expect-error null cannot travel by itself
export const alone = (remote: Remote) => remote.send(null)
// @ts-expect-error undefined cannot travel
export const nothing = (remote: Remote) => remote.send(undefined)
// @ts-expect-error remotes are made by nodes
export const made = () => new Remote()
// @ts-expect-error an identity cannot be given
export const renamed = (node: Node) => { node.id = '' }
// @ts-expect-error a service has a name
export const nameless: DiscoveryService = {}
// @ts-expect-error there is no such code
export const unknown: Code = 'ERR_P2PCHAN_KODA'
