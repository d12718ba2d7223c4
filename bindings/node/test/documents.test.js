'use strict'
// Every example in the documentation runs, and talks with somebody.

const assert = require('node:assert/strict')
const { mkdtemp, readFile, rm, writeFile } = require('node:fs/promises')
const { join } = require('node:path')
const { examplesIn, isWhole, program, subjectsOf } = require('./documents')
const { it, listening } = require('./helpers')
const { INSTALLED, PACKAGE, network, redirected } = require('./processes')

const EXAMPLES = [
  ...['README.md', 'tutorial-node.md'].flatMap((document) => examplesIn(join(INSTALLED, 'documents'), document)),
  ...['README.md', 'index.d.ts'].flatMap((document) => examplesIn(PACKAGE, document))
]

/** A peer that says two things to everybody whom it does not know, and then reads; resolves when one has talked. */
async function friend(context, entrance, example, known) {
  const node = listening({ 'discovery.bittorrent': { bootstrap: entrance, address: '127.0.0.1' }, 'discovery.lookup_interval': '1s' })
  context.after(() => node.close())
  for (const subject of subjectsOf(example)) node.discover(subject)
  await node.start()
  known.add(node.id)
  const talked = new Promise((resolve) => {
    node.on('remote', (remote) => {
      if (known.has(remote.peer)) {
        remote.resume()
        return
      }
      remote.send('Hello')
      remote.send({ yo: 'ppl' })
      // Both may have dialled; the connection that is not kept ends with a reason.
      remote.on('end', () => { if (remote.reason === null) resolve() })
      // Those that only listen have heard it when it has gone out.
      if (!isWhole(example) || !/send\(/.test(example.code)) remote.end()
      else remote.once('data', () => { remote.end() })
      remote.resume()
    })
  })
  return { address: node.addresses[0], talked }
}

async function run(context, example) {
  const entrance = await network(context)
  const known = new Set()
  const friends = [await friend(context, entrance, example, known), await friend(context, entrance, example, known)]
  // Beside the package, where its name leads to it.
  const folder = await mkdtemp(join(INSTALLED, 'example-'))
  context.after(() => rm(folder, { recursive: true }))
  const { name, text } = program(example)
  await writeFile(join(folder, name), text)
  const seeds = friends.map(({ address }) => address).join(',')
  const parameters = [join(folder, name), ...argumentsOf(example)]
  const process = redirected(context, entrance, parameters, { P2PCHAN_TEST_SEEDS: seeds })
  if (example.code.includes('process.stdin')) {
    await process.output.until('+ ')
    process.say('Hello, dude!')
  }
  await Promise.race([process.ended, friends[0].talked, friends[1].talked])
  // What was said to it has come to it by then; it may not have printed it.
  if (prints(example)) await process.output.next()
  process.hangUp()
  process.child.kill('SIGINT')
  const code = await process.wait()
  const errors = (await process.errors.rest()).join('\n')
  await process.output.rest()
  return { code, output: process.output.seen.join('\n'), errors }
}

const prints = (example) => isWhole(example) && example.code.includes('console.log')

/** What those that take some are given; undefined for one that another test runs. */
function argumentsOf({ code }) {
  if (!code.includes('process.argv')) return []
  return code.includes('usage: chat.js') ? ['My Cool Service 1.0', 'listen=0.0.0.0:0', 'discovery.bittorrent.bootstrap=public'] : undefined
}

for (const example of EXAMPLES.filter((each) => argumentsOf(each) !== undefined)) {
  it(`the example at ${example.place} does what it says`, async (context) => {
    const { code, output, errors } = await run(context, example)
    assert.ok(code === 0 || code === 'SIGINT', `${code}: ${errors}`)
    assert.equal(errors, '')
    if (prints(example)) assert.notEqual(output, '')
  })
}

it('the programs that are shown whole are those in examples', async () => {
  const tutorial = await readFile(join(INSTALLED, 'documents/tutorial-node.md'), 'utf8')
  for (const name of ['chat.js', 'discovery.mjs']) {
    const text = await readFile(join(INSTALLED, 'examples', name), 'utf8')
    assert.ok(tutorial.includes(`\`\`\`js\n${text}\`\`\`\n`), `docs/tutorial-node.md has another ${name}`)
  }
})

it('there are examples in all documents', () => {
  const places = new Set(EXAMPLES.map(({ place }) => place.split(':')[0]))
  assert.deepEqual([...places], ['README.md', 'tutorial-node.md', 'index.d.ts'])
  assert.ok(EXAMPLES.length > 12)
})
