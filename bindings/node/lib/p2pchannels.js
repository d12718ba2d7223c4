'use strict'
// What users of the package p2pchannels know, over a node: emitters, `listen(port)`, services that emit 'discovery'.

const { EventEmitter } = require('node:events')
const { isIP } = require('node:net')
const { func, object, optional, string, wrong } = require('./check')
const { closed } = require('./errors')
const { Found } = require('./found')
const { Node } = require('./node')

// What only this file may call.
const kConfigure = Symbol('configure')
const kOpen = Symbol('open')

class P2PChannels extends EventEmitter {
  #settings
  /** Made anew by each change of the settings until it starts, so that what is wrong with them is thrown at once. */
  #node
  /** 'new', 'beginning' (after this tick), 'running' or 'closed'. */
  #state = 'new'
  #wantsAlive = true
  #takesRemotes = false
  #listen = []
  #subjects = []
  #found = new Found('p2pchannels')

  constructor(settings = {}) {
    super()
    this.#node = new Node(settings)
    this.#settings = { ...settings }
    this.on('newListener', (event) => { if (event === 'remote') this.#takeRemotes() })
  }

  get id() {
    return this.#node.id
  }

  get addresses() {
    return this.#node.addresses
  }

  get subjects() {
    return [...this.#subjects]
  }

  listen(port, host, callback) {
    if (typeof host === 'function') return this.listen(port, undefined, host)
    const address = addressOf(host ?? '0.0.0.0', 'host', port)
    if (optional(func, callback, 'callback') !== undefined) this.once('listening', callback)
    this.#listen.push(address)
    try {
      this[kConfigure]({ listen: [...this.#listen] }, () => { this.#forget(address) })
    } catch (error) {
      this.#forget(address)
      throw error
    }
    return this
  }

  addDiscoveryService(service) {
    object(service, 'service')
    func(service.start, 'service.start')
    func(service.on, 'service.on')
    this.#begin()
    service.on('discovery', (ip, port, subject) => {
      this.#found.add(addressOf(ip, 'ip', port), optional(string, subject, 'subject'))
    })
    service.start(this)
    return this
  }

  discover(subject) {
    string(subject, 'subject')
    this.#begin()
    if (this.#subjects.includes(subject)) return false
    if (this.#state === 'running') this.#discover(subject)
    this.#subjects.push(subject)
    this.emit('addDiscoverSubject', subject)
    return true
  }

  stopDiscover(subject) {
    const place = this.#subjects.indexOf(string(subject, 'subject'))
    if (place < 0) return false
    this.#subjects.splice(place, 1)
    if (this.#state === 'running') this.#node.stopDiscover(subject)
    this.emit('removeDiscoverySubject', subject)
    return true
  }

  ref() {
    this.#wantsAlive = true
    this.#node.ref()
    return this
  }

  unref() {
    this.#wantsAlive = false
    this.#node.unref()
    return this
  }

  async close() {
    const never = this.#state === 'new' || this.#state === 'beginning'
    this.#state = 'closed'
    await this.#node.close()
    // Else the node tells.
    if (never) this.emit('close')
  }

  async [Symbol.asyncDispose]() {
    await this.close()
  }

  #forget(address) {
    this.#listen.splice(this.#listen.lastIndexOf(address), 1)
  }

  /** Changes settings, from the beginning or while it runs; `undo` if that fails. */
  [kConfigure](settings, undo) {
    if (this.#state === 'running') {
      this.#node.update(settings).then(() => { this.#listening() }, (error) => {
        undo?.()
        this.#failed(error)
      })
      return
    }
    const all = { ...this.#settings, ...settings }
    const node = new Node(all)
    this.#begin()
    this.#node = node
    this.#settings = all
  }

  /** After this tick, so that all that it says counts from the beginning. */
  #begin() {
    if (this.#state === 'closed') throw closed()
    if (this.#state !== 'new') return
    this.#state = 'beginning'
    process.nextTick(() => { if (this.#state === 'beginning') this.#start() })
  }

  #start() {
    this.#state = 'running'
    this.#node.addDiscoveryService(this.#found)
    this.#node.on('close', () => { this.emit('close') })
    if (!this.#wantsAlive) this.#node.unref()
    if (this.#takesRemotes) this.#takeRemotes()
    for (const subject of this.#subjects) this.#discover(subject)
    this.#node.start().then(() => { this.#listening() }, (error) => { this.#failed(error) })
  }

  #discover(subject) {
    this.#node.discover(subject).flushed().catch((error) => {
      if (error.code !== 'ERR_P2PCHAN_CLOSED') this.#failed(error)
    })
  }

  /** Remotes wait in the node until somebody listens. */
  #takeRemotes() {
    const first = this.#state === 'running' && this.#node.listenerCount('remote') === 0
    this.#takesRemotes = true
    if (first) this.#node.on('remote', (remote) => { this.emit('remote', new Remote(kOpen, remote)) })
  }

  #listening() {
    if (this.#listen.length > 0) this.emit('listening')
  }

  /** As a server does: who does not listen to "error" learns of it all the same. */
  #failed(error) {
    process.nextTick(() => { this.emit('error', error) })
  }
}

/** A remote that always flows: its messages come by "data", whether or not anybody listens. */
class Remote extends EventEmitter {
  #remote

  constructor(key, remote) {
    if (key !== kOpen) throw new TypeError('remotes come by the event "remote" of P2PChannels')
    super()
    this.#remote = remote
    remote.on('data', (message) => { this.emit('data', message) })
    remote.on('drain', () => { this.emit('drain') })
    remote.on('end', () => { this.emit('end') })
  }

  get id() {
    return this.#remote.peer
  }

  get subject() {
    return this.#remote.subject
  }

  get address() {
    return this.#remote.address
  }

  get reason() {
    return this.#remote.reason
  }

  send(message) {
    return this.#remote.writable && this.#remote.send(message)
  }

  end(message) {
    if (this.#remote.writable) this.#remote.end(message)
  }
}

/** Discovery through the BitTorrent DHT, for `addDiscoveryService`. */
class BitTorrentDHT extends EventEmitter {
  #settings

  constructor(port = 0, options = {}) {
    super()
    portOf(port)
    const { bootstrap = 'public', address } = object(options, 'options')
    this.#settings = {
      'discovery.bittorrent.port': port,
      'discovery.bittorrent.bootstrap': bootstrap,
      'discovery.bittorrent.address': optional(string, address, 'options.address')
    }
  }

  start(p2pChannels) {
    if (!(p2pChannels instanceof P2PChannels)) throw wrong('p2pChannels', 'a P2PChannels', p2pChannels)
    p2pChannels[kConfigure](this.#settings)
  }
}

P2PChannels.BitTorrentDHT = BitTorrentDHT
P2PChannels.Remote = Remote

/** An address as settings have it; numbers may be text, as they often are where addresses come from. */
function addressOf(ip, name, port) {
  const family = isIP(string(ip, name))
  if (family === 0) throw wrong(name, 'an IP address such as "192.0.2.7"', ip)
  portOf(port)
  return family === 6 ? `[${ip}]:${port}` : `${ip}:${port}`
}

function portOf(port) {
  const number = typeof port === 'string' ? Number(port || NaN) : port
  if (typeof number !== 'number') throw wrong('port', 'a number', port)
  if (Number.isInteger(number) && number >= 0 && number <= 65535) return
  const error = new RangeError(`port must be a whole number from 0 to 65535, and is ${port}`)
  error.code = 'ERR_OUT_OF_RANGE'
  throw error
}

module.exports = { P2PChannels }
