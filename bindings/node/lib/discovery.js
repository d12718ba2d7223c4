'use strict'
// A subject that is being discovered.

const { inspect } = require('node:util')
const { abortable } = require('./requests')
const { signalOf } = require('./check')

const kOpen = Symbol('open')

class Discovery {
  #subject
  #stop
  #flushed

  constructor(key, subject, flushed, stop) {
    if (key !== kOpen) throw new TypeError('discoveries are made by nodes: see Node.discover')
    this.#subject = subject
    this.#stop = stop
    this.#flushed = flushed
    // Nobody has to wait for it.
    flushed.catch(() => {})
  }

  get subject() {
    return this.#subject
  }

  async flushed(options) {
    return abortable(this.#flushed, signalOf(options))
  }

  stop() {
    this.#stop()
  }

  /** Subjects are secrets of their users. */
  [inspect.custom]() {
    return 'Discovery {}'
  }
}

function open(subject, flushed, stop) {
  return new Discovery(kOpen, subject, flushed, stop)
}

module.exports = { Discovery, open }
