'use strict'
// The library's log: to a function of the program, or else to what Node has for warnings and for finding mistakes.

const { debuglog } = require('node:util')
const { func, string } = require('./check')
const native = require('./native')

const LEVELS = ['error', 'warn', 'info', 'debug', 'trace']
const debug = debuglog('p2pchan')

function setLog(level, listener) {
  if (level === null) {
    native.setLog(0, () => {}, false)
    return
  }
  const number = LEVELS.indexOf(string(level, 'level')) + 1
  if (number === 0) {
    const error = new RangeError(`level must be one of ${LEVELS.join(', ')}, and is ${JSON.stringify(level)}`)
    error.code = 'ERR_OUT_OF_RANGE'
    throw error
  }
  func(listener, 'listener')
  native.setLog(number, (its, line) => { listener(LEVELS[its - 1], line) }, false)
}

/** Unless somebody has called setLog: warnings, or everything with NODE_DEBUG=p2pchan. */
function log() {
  if (debug.enabled) native.setLog(LEVELS.length, (level, line) => { debug('%s: %s', LEVELS[level - 1], line) }, true)
  else native.setLog(2, (_, line) => { process.emitWarning(line, 'P2PChanWarning') }, true)
}

module.exports = { debug, log, setLog }
