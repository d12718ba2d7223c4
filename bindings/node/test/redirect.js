'use strict'
// Loaded before a script: from then on nodes stay on this machine. P2PCHAN_TEST_ENTRANCE enters the DHT that stands
// for the public one, P2PCHAN_TEST_SEEDS are the peers that stand for those of a document.

const { dirname, join } = require('node:path')

const native = require(join(dirname(require.resolve('p2pchan/package.json')), 'lib/native.js'))
const { P2PCHAN_TEST_ENTRANCE: entrance, P2PCHAN_TEST_SEEDS: seeds } = process.env

const REPLACED = {
  listen: '127.0.0.1:0',
  'discovery.seeds': seeds,
  'discovery.bittorrent.bootstrap': entrance,
  'discovery.bittorrent.port': 0
}
const WITH_BITTORRENT = {
  'discovery.bittorrent.bootstrap': entrance,
  'discovery.bittorrent.address': '127.0.0.1',
  // Those that look at the same moment find each other later.
  'discovery.lookup_interval': '1s'
}

/** Settings with dotted keys. */
function * flat(settings, before = '') {
  for (const [key, value] of Object.entries(settings)) {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) yield * flat(value, `${before}${key}.`)
    else yield [before + key, value]
  }
}

function redirect(json) {
  const settings = Object.fromEntries(flat(JSON.parse(json)))
  for (const key of Object.keys(settings)) settings[key] = REPLACED[key] ?? settings[key]
  const bittorrent = Object.keys(settings).some((key) => key.startsWith('discovery.bittorrent'))
  return JSON.stringify({ ...settings, ...(bittorrent ? WITH_BITTORRENT : {}) })
}

native.NativeNode = class extends native.NativeNode {
  constructor(settings, ...more) {
    super(redirect(settings), ...more)
  }

  update(settings) {
    return super.update(redirect(settings))
  }

  connect(address) {
    return super.connect(seeds?.split(',')[0] ?? address)
  }
}
