'use strict'
// What is asked of the native part and answered later, by number; each may be given up through an AbortSignal.

const { fromNative } = require('./errors')

/** The promise, or the reason of the signal if that comes first. */
function abortable(promise, signal) {
  if (signal === undefined) return promise
  if (signal.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    const abort = () => { reject(signal.reason) }
    signal.addEventListener('abort', abort, { once: true })
    promise.finally(() => { signal.removeEventListener('abort', abort) }).then(resolve, reject)
  })
}

/** As many as the native part allows, 4,096. */
class Requests {
  #open = new Map()

  /**
   * Begins one, by calling something that answers its number. It rejects with what that throws, so that
   * `await` sees every failure in one place.
   */
  begin(ask, signal) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      let number
      try {
        number = ask()
      } catch (error) {
        throw error instanceof TypeError ? error : fromNative(error)
      }
      const forget = () => {
        this.#open.delete(number)
        signal?.removeEventListener('abort', abort)
      }
      const abort = () => {
        forget()
        reject(signal.reason)
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#open.set(number, (error, result) => {
        forget()
        if (error) reject(error)
        else resolve(result)
      })
    })
  }

  /** Whether anybody waits for the answer. */
  answer(number, error, result) {
    const answer = this.#open.get(number)
    answer?.(error, result)
    return answer !== undefined
  }

  /** Nothing is answered any more. */
  close(error) {
    for (const number of [...this.#open.keys()]) this.answer(number, error())
  }
}

module.exports = { Requests, abortable }
