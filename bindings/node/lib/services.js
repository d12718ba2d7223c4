'use strict'
// Discovery services that are written in JavaScript.

const { func, object, string, wrong } = require('./check')
const { P2PChanError } = require('./errors')

const VERBS = ['announce', 'lookUp', 'withdraw']

/** The verbs that a service has. */
function verbsOf(service) {
  string(object(service, 'service').name, 'service.name')
  return VERBS.filter((verb) => service[verb] !== undefined && func(service[verb], `service.${verb}`))
}

/** What the services of one node are doing: one thing at most for each subject and service. */
class Services {
  #services = []
  /** What would stop each request: AbortController by number. */
  #running = new Map()
  #native
  #failed

  /** `failed` is told of errors that a service has thrown. */
  constructor(native, failed) {
    this.#native = native
    this.#failed = failed
  }

  add(service) {
    this.#services.push(service)
  }

  /** Begins to answer a request. */
  async ask(request, { place, verb, subject, addresses }, findKey) {
    const controller = new AbortController()
    this.#running.set(request, controller)
    const topic = Object.freeze({ subject, findKey, addresses: Object.freeze(addresses) })
    try {
      const answer = await this.#services[place][verb](topic, { signal: controller.signal })
      if (verb === 'lookUp') await this.#found(request, answer, controller.signal)
      this.#done(request)
    } catch (error) {
      if (controller.signal.aborted) return
      this.#done(request, error)
      this.#failed(error)
    } finally {
      this.#running.delete(request)
    }
  }

  /** Nobody waits for the answer any more. */
  cancel(request) {
    this.#running.get(request)?.abort()
    this.#running.delete(request)
  }

  async #found(request, addresses, signal) {
    if (addresses === undefined || addresses === null) return
    if (typeof addresses !== 'object' || !(Symbol.asyncIterator in addresses || Symbol.iterator in addresses)) {
      throw wrong('what lookUp returns', 'an iterable of addresses', addresses)
    }
    for await (const address of addresses) {
      if (signal.aborted) return
      this.#native.discoveryFound(request, string(address, 'what lookUp finds'))
    }
  }

  #done(request, error) {
    if (error === undefined) this.#native.discoveryDone(request)
    else this.#native.discoveryDone(request, ...failure(error))
  }
}

/** The kind and the words of what a service has thrown, as the node tells them. */
function failure(error) {
  const code = String(error?.code)
  if (error instanceof P2PChanError) return [code.slice('ERR_P2PCHAN_'.length), error.message]
  if (error?.name === 'TimeoutError') return ['TIMEOUT', error.message]
  // Those of the operating system: ECONNREFUSED, ENOTFOUND.
  return [/^E[A-Z]+$/.test(code) ? 'IO' : 'INTERNAL', String(error)]
}

module.exports = { Services, verbsOf }
