'use strict'
// Round trip, as src/round_trip.rs: one message there and back, then the next.

const { END, Ring } = require('./messages')

/** Round trips that are not counted. */
const WARM_UP = 2000

/** The figures, whose names are those of src/rounds.rs. */
function dial(link, { size, seconds }) {
  const ring = new Ring(size)
  const times = []
  let [count, sent, began, until] = [0, undefined, 0n, 0n]
  return new Promise((resolve) => {
    const next = () => {
      sent = ring.next()
      began = process.hrtime.bigint()
      link.send(sent)
    }
    link.receive((message) => {
      const now = process.hrtime.bigint()
      if (!sent.equals(message)) throw new Error('a message came back changed')
      if (++count > WARM_UP) times.push(Number(now - began))
      if (count === WARM_UP) until = now + BigInt(Math.round(seconds * 1e9))
      if (count <= WARM_UP || now < until) {
        next()
        return
      }
      link.send(END)
      resolve(result(times))
    })
    next()
  })
}

function accept(link) {
  return new Promise((resolve) => {
    link.receive((message) => {
      if (END.equals(message)) resolve()
      else link.send(message)
    })
  })
}

function result(times) {
  times.sort((one, other) => one - other)
  return { median: percentile(times, 50), 'ninety-ninth': percentile(times, 99) }
}

/** Microseconds that so many of a hundred of the sorted times do not exceed. */
function percentile(times, percent) {
  return times[Math.max(0, Math.ceil(times.length * percent / 100) - 1)] / 1e3
}

module.exports = { accept, dial }
