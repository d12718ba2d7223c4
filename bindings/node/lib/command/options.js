'use strict'
// The command line of `npx p2pchan join`, and the settings that it means.

const { isIPv4 } = require('node:net')
const { networkInterfaces } = require('node:os')
const { parseArgs } = require('node:util')

const HELP = `\
usage: npx p2pchan join [OPTION]... PHRASE

Connects standard input and output to everybody with the same phrase.

Each line of standard input goes to all remotes that are open then; the slowest sets the pace. Nothing is
read before a remote is open. What they say is printed, one message a line, after the first digits of the
id of who says it. Who comes and goes, and what was opened, stands on standard error.

  PHRASE                what is shared; better in the environment as P2PCHAN_PHRASE, where others cannot read it

options:
  --bootstrap ADDRESS   ask the BitTorrent DHT through this node, or \`public\` ones; may be given again
  --seed ADDRESS        dial this peer, HOST:PORT; may be given again
  --listen ADDRESS      accept connections here, IP:PORT; may be given again [default: any port of all addresses]
  --set KEY=VALUE       change any setting of docs/settings.md; wins over the options; may be given again
  --until NUMBER        wait for so many remotes before reading standard input, and exit at its end
  --timeout SECONDS     exit with code 3 if so many remotes (1 without --until) are not open by then
  --help                show this

examples:
  npx p2pchan join "my phrase" --bootstrap public
  npx p2pchan join "my phrase" --listen 127.0.0.1:8099
  npx p2pchan join "my phrase" --seed 127.0.0.1:8099
  seq 1 1000 | npx p2pchan join "my phrase" --seed 127.0.0.1:8099 --until 1

At the end of standard input it goes on printing what comes. With --until it flushes, ends and exits.

exit codes: 0 done, 1 failed, 2 wrong command line, setting or phrase, 3 nobody found within --timeout,
129, 130, 143 stopped by a signal. A second signal stops at once.
`

const several = { type: 'string', multiple: true, default: [] }
const OPTIONS = {
  bootstrap: several,
  seed: several,
  listen: several,
  set: several,
  until: { type: 'string' },
  timeout: { type: 'string' },
  help: { type: 'boolean', short: 'h' }
}

/** What is wrong with the command line. */
class UsageError extends Error {}

/** What the command line says, checked. */
function joinOptions(words) {
  const { values, positionals } = parse(words)
  if (values.help) return values
  const [phrase = process.env.P2PCHAN_PHRASE, ...more] = positionals
  if (!phrase) throw new UsageError('a phrase is missing; write it behind join, or set P2PCHAN_PHRASE')
  if (more.length > 0) throw new UsageError(`${quoted(more[0])} is one word too many; put the phrase into quotes`)
  const named = { ...values, phrase, until: positive('until', values), timeout: positive('timeout', values) }
  return { ...named, settings: settings(named) }
}

function parse(words) {
  try {
    return parseArgs({ args: words, options: OPTIONS, allowPositionals: true })
  } catch (error) {
    throw new UsageError(`${error.message.split('. ')[0]}; see npx p2pchan join --help`)
  }
}

/** A whole number from 1 on; undefined if it is not given. */
function positive(option, values) {
  const text = values[option]
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text) && Number(text) >= 1) return Number(text)
  throw new UsageError(`--${option} ${quoted(text)}: write a whole number from 1 on`)
}

/** The settings that the options mean. */
function settings({ bootstrap, seed, listen, set, until }) {
  const addresses = listen.length > 0 ? listen : anywhere()
  const named = { listen: addresses.join(',') }
  if (seed.length > 0) named['discovery.seeds'] = seed.join(',')
  if (bootstrap.length > 0) {
    named['discovery.bittorrent.bootstrap'] = bootstrap.join(',')
    named['discovery.bittorrent.address'] = beside(addresses)
  }
  // Somebody may look at the first page meanwhile.
  if (until !== undefined) named['timeouts.close'] = '1m'
  return Object.assign(named, Object.fromEntries(set.map(keyAndValue)))
}

function keyAndValue(text) {
  const equals = text.indexOf('=')
  if (equals < 1) throw new UsageError(`--set ${quoted(text)}: write it as KEY=VALUE, such as limits.message=1MiB`)
  return [text.slice(0, equals), text.slice(equals + 1)]
}

/** Any free port of all addresses that this machine has: many have no IPv6. */
function anywhere() {
  const has6 = Object.values(networkInterfaces()).flat().some((each) => each.family === 'IPv6')
  return has6 ? ['0.0.0.0:0', '[::]:0'] : ['0.0.0.0:0']
}

/** The address of the UDP socket: that of the TCP socket, so that nothing more is opened than named. */
function beside(listen) {
  const hosts = listen.map((address) => address.split('://').at(-1).replace(/:[^:]*$/, ''))
  return hosts.find((host) => isIPv4(host)) ?? '0.0.0.0'
}

function quoted(text) {
  return JSON.stringify(text)
}

module.exports = { HELP, UsageError, joinOptions }
