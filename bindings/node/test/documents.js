'use strict'
// The examples in documentation: where they stand, and what makes a program of each.

const { readFileSync } = require('node:fs')
const { join } = require('node:path')

/** What nodes and remotes discover that an example does not make by itself. */
const SUBJECT = 'My Cool Service 1.0'

/** Those in Markdown, and those in comments. */
const BLOCK = /^( \* |)```js\n(.*?)^\1```$/gms

/** All examples of a document: { place, code }. */
function examplesIn(folder, document) {
  const text = readFileSync(join(folder, document), 'utf8')
  return [...text.matchAll(BLOCK)].map(({ index, 1: margin, 2: block }) => ({
    place: `${document}:${text.slice(0, index).split('\n').length}`,
    code: block.split('\n').map((line) => line.slice(margin.length)).join('\n')
  }))
}

/** It makes its own nodes, and begins with what it needs. */
function isWhole({ code }) {
  return /^(const|import|var)\b.*(from|require\()\s?'p2pchan'/m.test(code) && /new (Node|P2PChannels)\b/.test(code)
}

function isModule({ code }) {
  return /^import /m.test(code)
}

/** What it discovers. */
function subjectsOf({ code }) {
  return [...new Set([SUBJECT, ...[...code.matchAll(/\bdiscover\('([^']+)'/g)].map((match) => match[1])])]
}

/** The file that runs it, and its name. */
function program(example) {
  if (isWhole(example)) return { name: isModule(example) ? 'example.mjs' : 'example.cjs', text: example.code }
  return { name: 'example.cjs', text: surrounded(example.code) }
}

/** With what it uses and does not make: a node, and a remote that somebody else has found. */
function surrounded(code) {
  const makes = (name) => new RegExp(`(const|let|var) ${name}\\b`).test(code)
  return `'use strict'
const { Node, P2PChanError, P2PChannels } = require('p2pchan')
async function main() {
  const here = new Node({ discovery: { seeds: 'redirected:1' } })
  here.discover(${JSON.stringify(SUBJECT)})
  await here.start()
  const [found] = await require('node:events').once(here, 'remote')
  {
    ${makes('node') ? '' : 'const node = here'}
    ${makes('remote') ? '' : 'const remote = found'}
    ${code}
  }
  ${makes('node') ? '' : 'setImmediate(() => here.close())'}
}
main()
`
}

module.exports = { examplesIn, isWhole, program, subjectsOf }
