// A discovery service of one's own: programs that share a folder find each other there.
//
//     node discovery.mjs /srv/share "My Cool Service 1.0" 192.0.2.7:8099
//
// The last is where it listens, an address that the others can dial. The folder never sees the subject.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Node } from 'p2pchan'

/** Each leaves its addresses in a file; a database, a web page or a pin-board works the same way. */
class Folder {
  name = 'folder'
  mine = randomBytes(8).toString('hex')

  constructor(folder) {
    this.folder = folder
  }

  file({ findKey }) {
    return join(this.folder, `${findKey.toString('hex')}.${this.mine}`)
  }

  async announce(topic) {
    await writeFile(this.file(topic), topic.addresses.join('\n'))
  }

  async * lookUp({ findKey }) {
    // One's own among them does no harm.
    for (const file of await readdir(this.folder)) {
      if (!file.startsWith(`${findKey.toString('hex')}.`)) continue
      yield * (await readFile(join(this.folder, file), 'utf8')).split('\n')
    }
  }

  async withdraw(topic) {
    await rm(this.file(topic), { force: true })
  }
}

const [folder, subject, listen] = process.argv.slice(2)
if (listen === undefined) {
  console.error('usage: discovery.mjs FOLDER SUBJECT ADDRESS')
  process.exit(1)
}
const node = new Node({ listen }).addDiscoveryService(new Folder(folder))
node.discover(subject)
await node.start()
const [remote] = await once(node, 'remote')
remote.send('Hello, dude!')
const [message] = await once(remote, 'data')
console.log(`${remote.peer.slice(0, 8)} says: ${message}`)
await node.close()
