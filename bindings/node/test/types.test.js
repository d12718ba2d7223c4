'use strict'
// index.d.ts names what there is, and nothing else.

const assert = require('node:assert/strict')
const { readFileSync } = require('node:fs')
const { join } = require('node:path')
const p2pchan = require('p2pchan')
const { it } = require('./helpers')
const { PACKAGE } = require('./processes')

const TYPES = readFileSync(join(PACKAGE, 'index.d.ts'), 'utf8').replace(/\/\*\*.*?\*\//gs, '')

/** The names that begin a line with this much before them, in their order and once. */
function names(text, indentation) {
  const member = new RegExp(`^ {${indentation}}(?:static |readonly )*(\\w+|\\[Symbol\\.\\w+\\])\\??[(<:]`, 'gm')
  return new Set([...text.matchAll(member)].map((match) => match[1]).filter((name) => name !== 'constructor'))
}

/** What stands between the braces of a class; `before` is what begins its line. */
function body(name, before) {
  const match = new RegExp(`^${before}class ${name} .*?\\{\\n(.*?)^ {${before.match(/^ */)[0].length}}\\}`, 'ms').exec(TYPES)
  assert.ok(match, `index.d.ts has no class ${name}`)
  return match[1]
}

/** As TypeScript writes the name of a member. */
function written(key) {
  if (typeof key === 'string') return key
  const known = ['asyncDispose', 'asyncIterator'].find((name) => Symbol[name] === key)
  return known === undefined ? '' : `[Symbol.${known}]`
}

/** The public members of a class. Replacing what its streams and emitters have is no news. */
function members(kind, declared) {
  const above = Object.getPrototypeOf(kind.prototype)
  const news = (key) => declared.has(written(key)) || !(key in above)
  return Reflect.ownKeys(kind.prototype).filter(news).map(written)
    .filter((name) => !/^(constructor|name|_.*|)$/.test(name))
}

it('what is exported is what has types', () => {
  const typed = [...TYPES.matchAll(/^export (?:class|const|function) (\w+)/gm)].map((match) => match[1])
  assert.deepEqual([...new Set(typed)].sort(), Object.keys(p2pchan).sort())
})

it('what is required and what is imported are the same things', async () => {
  const { default: whole, ...named } = await import('p2pchan')
  assert.equal(whole, undefined)
  assert.deepEqual(Object.entries(named).sort(), Object.entries(p2pchan).sort())
})

const CLASSES = [
  ...Object.entries(p2pchan).filter(([, kind]) => kind !== p2pchan.setLog).map(([name, kind]) => [name, kind, 'export ']),
  ...['BitTorrentDHT', 'Remote'].map((name) => [name, p2pchan.P2PChannels[name], '  '])
]
for (const [name, kind, before] of CLASSES) {
  it(`the members of ${before === '  ' ? 'P2PChannels.' : ''}${name} are those that have types`, () => {
    const declared = names(body(name, before), before === '  ' ? 4 : 2)
    // What is typed more narrowly than it is inherited; a field of each error.
    const above = Object.getPrototypeOf(kind.prototype)
    for (const inherited of ['on', 'once', 'end', 'write', 'read']) {
      if (inherited in above && !Object.hasOwn(kind.prototype, inherited)) declared.delete(inherited)
    }
    if (kind === p2pchan.P2PChanError) declared.delete('code')
    assert.deepEqual(members(kind, declared).sort(), [...declared].sort())
  })
}
