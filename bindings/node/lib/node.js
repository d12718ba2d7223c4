'use strict'
// A node: an emitter over a native node, which it turns when that rings.

const { EventEmitter } = require('node:events')
const { Socket } = require('node:net')
const { clearInterval, setInterval } = require('node:timers')
const { inspect } = require('node:util')
const { func, object, optional, signalOf, string, topic } = require('./check')
const { closed, failure, fromNative, native } = require('./errors')
const { toJson } = require('./json')
const { log } = require('./log')
const { NativeNode } = require('./native')
const discovery = require('./discovery')
const { NAMES, Told } = require('./events')
const { abortable, Requests } = require('./requests')
const remotes = require('./remote')
const { Services, verbsOf } = require('./services')
const { kBroken, kEnded, kMessage, kWritable } = remotes
const { NONE, WHAT, index, messageAt, read } = require('./table')

/** A handle that keeps the process alive, and that never does anything: the longest time that timers have. */
const FOREVER = 2 ** 31 - 1

/** Bytes that are read at once of what wakes the event loop; one comes for each turn, or for a remote that goes on. */
const BELL = 4096

/** Records after which all else in the event loop has its turn. */
const AT_ONCE = 1024

class Node extends EventEmitter {
  #native
  /** 'new', 'starting', 'running', 'closing' or 'closed'. */
  #state = 'new'
  #requests = new Requests()
  /** By the places that the native part gives them. */
  #remotes = []
  /** Those that nobody has taken. */
  #incoming = []
  /** The setting limits.waiting. */
  #mostWaiting = 0
  #takers = []
  /** Discoveries that begin when the node has started: { secret, begin, flushed, resolve, reject }. */
  #early = new Map()
  #alive
  #wantsAlive = true
  #over
  #isOver
  /** The last table did not hold everything. */
  #more = false
  #services
  #refuse
  #told

  constructor(settings = {}, options = {}) {
    super()
    const json = toJson(object(settings, 'settings'), 'settings', true)
    const file = optional(string, object(options, 'options').settingsFile, 'options.settingsFile')
    this.#refuse = optional(func, options.refuse, 'options.refuse')
    log()
    try {
      this.#native = new NativeNode(json, file, this.#refuse !== undefined)
    } catch (error) {
      throw fromNative(error)
    }
    this.#services = new Services(this.#native, (error) => { this.#fault(error) })
    const next = (items) => this.#requests.begin(() => items.next())
    this.#told = [
      new Told(this, () => this.#native.stats(), () => this.listenerCount('stats') > 0, next),
      new Told(this, () => this.#native.events(), () => this.eventNames().some((name) => NAMES.has(name)), next)
    ]
    this.#over = new Promise((resolve) => { this.#isOver = resolve })
  }

  get id() {
    return this.#get('id')
  }

  get addresses() {
    return this.#get('addresses')
  }

  async start(options) {
    const signal = signalOf(options)
    signal?.throwIfAborted()
    if (this.#state !== 'new') throw failure('INVALID', 'a node is started once; make a new one')
    this.#listen()
    this.#state = 'starting'
    this.#alive = setInterval(() => {}, FOREVER)
    if (!this.#wantsAlive) this.#alive.unref()
    try {
      await this.#requests.begin(() => this.#native.start(), signal)
    } catch (error) {
      await this.close()
      throw error
    }
    return this
  }

  discover(subject, secret) {
    string(subject, 'subject')
    optional(string, secret, 'secret')
    native(NativeNode, 'check', subject, secret)
    return this.#discover(subject, subject, secret, () => this.#native.discover(subject, secret),
      () => { this.stopDiscover(subject) })
  }

  discoverTopic(bytes) {
    const copy = topic(bytes)
    return this.#discover(copy.toString('hex'), copy.toString('latin1'), undefined, () => this.#native.discoverTopic(copy),
      () => { this.stopDiscoverTopic(copy) })
  }

  stopDiscover(subject) {
    string(subject, 'subject')
    if (!this.#stopEarly(subject)) native(this.#native, 'stopDiscover', subject)
  }

  stopDiscoverTopic(bytes) {
    const copy = topic(bytes)
    if (!this.#stopEarly(copy.toString('latin1'))) native(this.#native, 'stopDiscoverTopic', copy)
  }

  async connect(address, options) {
    string(address, 'address')
    const remote = await this.#request(signalOf(options), 'connect', address)
    if (remote === undefined) throw failure('REFUSED', 'this node has no place for another remote; end some')
    return remote
  }

  addDiscoveryService(service) {
    native(this.#native, 'addDiscoveryService', service?.name, verbsOf(service))
    this.#services.add(service)
    return this
  }

  async update(settings, options) {
    const json = toJson(object(settings, 'settings'), 'settings', true)
    await this.#request(signalOf(options), 'update', json)
    this.#mostWaiting = this.#native.mostWaiting()
  }

  async reload(options) {
    await this.#request(signalOf(options), 'reload')
    this.#mostWaiting = this.#native.mostWaiting()
  }

  status() {
    return JSON.parse(native(this.#native, 'status'))
  }

  explain(target) {
    return JSON.parse(native(this.#native, 'explain', string(target, 'target')))
  }

  remotes() {
    return this.#remotes.filter((remote) => remote !== undefined)
  }

  ref() {
    this.#wantsAlive = true
    this.#alive?.ref()
    return this
  }

  unref() {
    this.#wantsAlive = false
    this.#alive?.unref()
    return this
  }

  async close(options) {
    const signal = signalOf(options)
    if (this.#state === 'new') this.#finish()
    else if (this.#state !== 'closing' && this.#state !== 'closed') {
      this.#state = 'closing'
      this.#native.stop()
    }
    await abortable(this.#over, signal)
  }

  async [Symbol.asyncDispose]() {
    await this.close()
  }

  [Symbol.asyncIterator]() {
    return new Incoming((taker) => this.#take(taker))
  }

  on(event, listener) {
    super.on(event, listener)
    this.#listened(event)
    return this
  }

  addListener(event, listener) {
    return this.on(event, listener)
  }

  prependListener(event, listener) {
    super.prependListener(event, listener)
    this.#listened(event)
    return this
  }

  [inspect.custom](depth, options) {
    if (depth < 0) return '[Node]'
    const id = this.#state === 'running' ? this.id.slice(0, 8) : undefined
    return `Node ${inspect({ state: this.#state, id }, options)}`
  }

  #get(name) {
    try {
      return this.#native[name]
    } catch (error) {
      throw fromNative(error)
    }
  }

  async #request(signal, method, ...values) {
    if (this.#state === 'closed') throw closed()
    return this.#requests.begin(() => this.#native[method](...values), signal)
  }

  /** Now, or when the node has started. */
  #discover(subject, key, secret, begin, stop) {
    if (this.#state === 'closing' || this.#state === 'closed') throw closed()
    if (this.#state === 'running') {
      return discovery.open(subject, this.#flushed(begin), stop)
    }
    return discovery.open(subject, this.#later(key, secret ?? null, begin), stop)
  }

  /** To begin when the node has started. */
  #later(key, secret, begin) {
    const early = this.#early.get(key) ?? { secret, begin }
    if (early.secret !== secret) {
      throw failure('INVALID', 'the subject is discovered with another secret; stopDiscover it first')
    }
    early.flushed ??= new Promise((resolve, reject) => { Object.assign(early, { resolve, reject }) })
    this.#early.set(key, early)
    return early.flushed
  }

  #flushed(begin) {
    let number
    try {
      number = begin()
    } catch (error) {
      throw fromNative(error)
    }
    return this.#requests.begin(() => number)
  }

  #stopEarly(key) {
    const early = this.#early.get(key)
    this.#early.delete(key)
    early?.reject(failure('CLOSED', 'the discovery was stopped'))
    return early !== undefined || this.#state === 'new'
  }

  #started() {
    this.#state = 'running'
    this.#mostWaiting = this.#native.mostWaiting()
    for (const told of this.#told) told.listen()
    for (const { begin, resolve, reject } of this.#early.values()) {
      try {
        resolve(this.#flushed(begin))
      } catch (error) {
        reject(error)
      }
    }
    this.#early.clear()
  }

  /** Lets the native part wake the event loop, for which the process does not stay alive. */
  #listen() {
    const bell = { buffer: Buffer.allocUnsafeSlow(BELL), callback: () => this.#wake() }
    const socket = new Socket({ fd: native(this.#native, 'bell'), readable: true, writable: false, onread: bell })
    // Its end comes with that of the node.
    socket.unref().on('error', () => {})
  }

  /**
   * Called on the event loop when there is something to do, once in a round of it, as for every socket. What many
   * tables could not hold waits for the next, so that all else in the loop has its turn.
   */
  #wake() {
    let happened = 0
    do happened += this.#dispatch()
    while (this.#more && happened < AT_ONCE)
    if (this.#more) this.#native.ring()
  }

  /** Handles one table: how many records it had. */
  #dispatch() {
    const { records, extras, more, ended } = read(this.#native)
    this.#more = more
    const opened = []
    let record = 1
    while (record < records) {
      try {
        while (record < records) this.#happened(4 * record++, extras, opened)
      } catch (error) {
        // A listener's: nobody else's turn is lost by it.
        process.nextTick(() => { throw error })
      }
    }
    for (const remote of opened) this.#offer(remote)
    while (this.#incoming.length > this.#mostWaiting) this.#incoming.pop().refuse()
    if (ended) this.#finish()
    return records
  }

  #happened(at, extras, opened) {
    const what = index[at]
    if (what < WHAT.REMOTE) {
      this.#message(this.#remotes[index[at + 1]], at, extras)
      return
    }
    switch (what) {
      case WHAT.WRITABLE:
        this.#remotes[index[at + 1]]?.[kWritable]()
        break
      case WHAT.REMOTE:
        opened.push(this.#open(index[at + 1], extras[index[at + 2]]))
        break
      case WHAT.ENDED: {
        const remote = this.#remotes[index[at + 1]]
        this.#remotes[index[at + 1]] = undefined
        remote?.[kEnded](failureAt(extras, index[at + 2]))
        break
      }
      case WHAT.RESULT:
        this.#answered(numberAt(at), null, index[at + 1] === 1 ? opened : undefined)
        break
      case WHAT.FAILED:
        this.#answered(numberAt(at), failureAt(extras, index[at + 1]))
        break
      case WHAT.NEWCOMER:
        this.#newcomer(numberAt(at), JSON.parse(extras[index[at + 1]]))
        break
      case WHAT.ASKED:
        this.#services.ask(numberAt(at), JSON.parse(extras[index[at + 1]]), extras[index[at + 1] + 1])
        break
      case WHAT.CANCELLED:
        this.#services.cancel(numberAt(at))
    }
  }

  #message(remote, at, extras) {
    if (remote === undefined) return
    let message
    try {
      message = messageAt(at, extras)
    } catch (error) {
      remote[kBroken](error.message)
      return
    }
    if (message === null) remote[kBroken]('null cannot travel by itself')
    else remote[kMessage](message)
  }

  #open(place, nativeRemote) {
    const remote = remotes.open(nativeRemote, () => {
      if (this.#remotes[place] === remote) this.#remotes[place] = undefined
    })
    this.#remotes[place] = remote
    return remote
  }

  /** `opened` ends with the remote that was asked for. */
  #answered(number, error, opened) {
    if (this.#state === 'starting' && error === null) this.#started()
    if (this.#requests.answer(number, error, opened?.at(-1))) opened?.pop()
  }

  /** To a listener, or to whoever waits for the next, or until somebody does. */
  #offer(remote) {
    try {
      if (this.emit('remote', remote)) return
    } catch (error) {
      process.nextTick(() => { throw error })
      return
    }
    const taker = this.#takers.shift()
    if (taker !== undefined) taker(remote)
    else this.#incoming.push(remote)
  }

  #take(taker) {
    const remote = this.#incoming.shift()
    if (remote !== undefined || this.#state === 'closed') taker(remote)
    else this.#takers.push(taker)
  }

  #listened(event) {
    if (event === 'remote' && this.#incoming.length > 0) {
      process.nextTick(() => { for (const remote of this.#incoming.splice(0)) this.#offer(remote) })
    }
    if (this.#state === 'running') for (const told of this.#told) told.listen()
  }

  async #newcomer(number, newcomer) {
    let refused = true
    try {
      refused = Boolean(await this.#refuse(newcomer))
    } catch (error) {
      this.#fault(error)
    }
    this.#native.answerNewcomer(number, refused)
  }

  /** What a function of the program has thrown. */
  #fault(error) {
    if (this.listenerCount('error') > 0) this.emit('error', error)
  }

  /** Nothing else comes. */
  #finish() {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    clearInterval(this.#alive)
    for (const remote of this.#remotes.splice(0)) remote?.[kEnded](closed())
    this.#requests.close(closed)
    for (const { reject } of this.#early.values()) reject(closed())
    this.#early.clear()
    for (const taker of this.#takers.splice(0)) taker(undefined)
    this.#isOver()
    process.nextTick(() => { this.emit('close') })
  }
}

function numberAt(at) {
  return index[at + 2] + index[at + 3] * 2 ** 32
}

/** The error that begins at that extra; null if there is none. */
function failureAt(extras, place) {
  return place === NONE ? null : failure(extras[place], extras[place + 1])
}

/** What `for await` uses: the remotes that come, until the node has closed. */
class Incoming {
  #take
  #done = false

  constructor(take) {
    this.#take = take
  }

  [Symbol.asyncIterator]() {
    return this
  }

  next() {
    if (this.#done) return Promise.resolve({ value: undefined, done: true })
    return new Promise((resolve) => {
      this.#take((remote) => { resolve({ value: remote, done: remote === undefined }) })
    })
  }

  return(value) {
    this.#done = true
    return Promise.resolve({ value, done: true })
  }
}

module.exports = { Node }
