'use strict'
// What `npx p2pchan` does: the command that the arguments name.

const { version } = require('../../package.json')
const { HELP: JOIN_HELP, UsageError, joinOptions } = require('./options')

const HELP = `\
usage: npx p2pchan COMMAND

Live, encrypted channels between all programs that share a phrase.

commands:
  join        connect standard input and output to everybody with the same phrase

options:
  --help      show this; \`npx p2pchan join --help\` tells what join takes
  --version   show the version
`

/** Runs the command, and resolves to its exit code. */
async function main(words) {
  const [command, ...rest] = words
  switch (command) {
    case 'join':
      return join(rest)
    case '--version':
      return say(process.stdout, `p2pchan ${version}\n`, 0)
    case '--help':
    case '-h':
      return say(process.stdout, HELP, 0)
    case undefined:
      return say(process.stderr, HELP, 2)
    default:
      return say(process.stderr, `p2pchan: there is no command ${JSON.stringify(command)}; write join\n`, 2)
  }
}

async function join(words) {
  let options
  try {
    options = joinOptions(words)
  } catch (error) {
    if (error instanceof UsageError) return say(process.stderr, `p2pchan: ${error.message}\n`, 2)
    throw error
  }
  if (options.help) return say(process.stdout, JOIN_HELP, 0)
  return require('./join').run(options)
}

/** Resolves to the code once it is written. */
function say(stream, text, code) {
  return new Promise((resolve) => { stream.write(text, () => { resolve(code) }) })
}

module.exports = { main }
