#!/usr/bin/env node
'use strict'
// `npx p2pchan`: a quick try of the package from a terminal.

require('../lib/command/main').main(process.argv.slice(2)).then((code) => { process.exit(code) })
