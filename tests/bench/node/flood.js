'use strict'
// One-way flood, as src/flood.rs: the dialling end sends for a while and then the sign that this was all; the accepting
// end answers how many came, which stops the clock. The first flood of each connection warms up.

const { performance } = require('node:perf_hooks')
const { END, Ring } = require('./messages')

/** Until buffers and windows have grown and code is compiled, in seconds. */
const WARM_UP = 0.3
const FLOODS = 2
/** Messages between two looks at the clock. */
const MANY = 256

/** The figures of the second flood, whose names are those of src/rounds.rs. */
async function dial(link, { size, seconds }) {
  const ring = new Ring(size)
  let figures
  for (const duration of [WARM_UP, seconds]) {
    const [began, processor] = [performance.now(), process.cpuUsage()]
    const sent = await send(link, ring, duration)
    const answer = await new Promise((resolve) => { link.receive(resolve) })
    figures = result(sent, answer, size, (performance.now() - began) / 1e3, used(processor))
  }
  return figures
}

/** Sends until the time is over; resolves to how many were sent. */
function send(link, ring, seconds) {
  const until = performance.now() + seconds * 1e3
  const least = Math.max(1, Math.min(MANY, ring.messages.length))
  let count = 0
  return new Promise((resolve) => {
    const go = () => {
      do {
        for (let number = 0; number < least; number++) {
          count++
          if (!link.send(ring.next())) {
            if (performance.now() >= until) break
            link.drain(go)
            return
          }
        }
      } while (performance.now() < until)
      link.send(END)
      resolve(count)
    }
    go()
  })
}

/** Answers each flood with how many came, and seconds of processor time. */
function accept(link, { size }) {
  const ring = new Ring(size)
  return new Promise((resolve) => {
    let [count, floods, processor] = [0, 0, process.cpuUsage()]
    link.receive((message) => {
      if (ring.goesOn(message)) {
        count++
        return
      }
      const answer = Buffer.alloc(16)
      answer.writeDoubleLE(count)
      answer.writeDoubleLE(used(processor), 8)
      link.send(answer)
      ;[count, processor] = [0, process.cpuUsage()]
      if (++floods === FLOODS) resolve()
    })
  })
}

/** Seconds of processor time since then. */
function used(since) {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1e6
}

function result(sent, answer, size, seconds, sending) {
  const count = answer.readDoubleLE()
  if (count !== sent) throw new Error(`${sent} messages were sent and ${count} arrived`)
  const gigabytes = count * size / 1e9
  return {
    messages: count / seconds,
    megabytes: gigabytes * 1e3 / seconds,
    'sending-processor': sending / gigabytes,
    'receiving-processor': answer.readDoubleLE(8) / gigabytes
  }
}

module.exports = { accept, dial }
