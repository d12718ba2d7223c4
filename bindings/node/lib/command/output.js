'use strict'
// Standard output, which many may write to, each at the pace of its reader.

class Output {
  #stream
  #drained
  #broken = false

  /** `failed` is called once, with why it takes nothing any more. */
  constructor(stream, failed) {
    this.#stream = stream
    stream.on('error', (error) => {
      if (!this.#broken) failed(error)
      this.#broken = true
    })
  }

  /** Resolves when there is room for more; at once if nobody reads any more. */
  async write(text) {
    if (this.#broken || this.#stream.write(text)) return
    this.#drained ??= new Promise((resolve) => {
      const done = () => {
        this.#drained = undefined
        for (const event of ['drain', 'error']) this.#stream.off(event, done)
        resolve()
      }
      for (const event of ['drain', 'error']) this.#stream.on(event, done)
    })
    await this.#drained
  }

  /** Resolves when all is written. */
  async flush() {
    if (!this.#broken) await new Promise((resolve) => { this.#stream.write('', () => { resolve() }) })
  }
}

module.exports = { Output }
