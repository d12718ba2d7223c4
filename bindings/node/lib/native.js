'use strict'
// The addon: the native part, which lies in a package of its own for each platform.

const { arch, platform } = process
const PLATFORM = `${platform}-${arch}${platform === 'linux' ? '-gnu' : ''}`

function load() {
  const name = `@p2pchan/${PLATFORM}`
  try {
    return require(name)
  } catch (error) {
    const why = error.code === 'MODULE_NOT_FOUND'
      ? `the package ${name} is missing. Either p2pchan does not exist for this platform yet, or optional ` +
        'dependencies were left out when it was installed (--omit=optional)'
      : `${name} cannot be loaded (${error.message})`
    throw new Error(`p2pchan: ${why}`, { cause: error })
  }
}

module.exports = load()
