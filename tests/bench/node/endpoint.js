'use strict'
// One end of a flood or a round trip by a program in JavaScript, as src/in_node.rs starts it:
//
//     endpoint.js SYSTEM flood|round-trip accept|dial SIZE MILLISECONDS [ADDRESS]
//
// What is sent and how it is timed is that of src/flood.rs and src/round_trip.rs, so that the figures can be put
// beside those of Rust. Each system is one module with functions `accept` and `dial`: ours, net, ws, socket_io, and
// those in ../rivals/node. They are used as their documentation advises, and nothing is tuned for p2pchan. What they
// give is a link:
//
//     send(message)     false asks to wait for `drain`
//     receive(f)        calls f with each message
//     drain(f)          calls f once, when there is room again
//     close()

const flood = require('./flood')
const roundTrip = require('./round_trip')

/** Milliseconds. Nobody waits longer; an end whose peer is gone ends by itself. */
const LONGEST = 60_000

/** Tells the parent something. */
function say(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

async function main([system, work, end, size, milliseconds, address]) {
  setTimeout(() => { process.exit(1) }, LONGEST).unref()
  const { accept, dial } = require(`./${system}`)
  const link = end === 'accept' ? await accept(say) : await dial(address)
  const amount = { size: Number(size), seconds: Number(milliseconds) / 1e3 }
  const way = work === 'round-trip' ? roundTrip : flood
  const figures = await (end === 'accept' ? way.accept(link, amount) : way.dial(link, amount))
  if (figures !== undefined) say(figures)
  await link.close()
}

main(process.argv.slice(2)).then(() => { process.exit(0) })
