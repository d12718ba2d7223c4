'use strict'
// Live, encrypted channels between all programs that share a phrase. index.d.ts says what everything does.

const { P2PChanError } = require('./lib/errors')
const { Discovery } = require('./lib/discovery')
const { setLog } = require('./lib/log')
const { Node } = require('./lib/node')
const { P2PChannels } = require('./lib/p2pchannels')
const { Remote } = require('./lib/remote')

module.exports = { Discovery, Node, P2PChanError, P2PChannels, Remote, setLog }
