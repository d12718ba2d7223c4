'use strict'

/** Why the command ends early, with the exit code. */
class Failure extends Error {
  constructor(why, code = 1) {
    super(why)
    this.code = code
  }
}

module.exports = { Failure }
