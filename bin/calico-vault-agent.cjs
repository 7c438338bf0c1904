#!/usr/bin/env node
// `npx calico-vault-agent` in a checkout: dist/main.js, with the Node that it is built for.
'use strict'
const { spawn } = require('node:child_process')
const { join } = require('node:path')
const { findNode, prepare } = require('../build/prepare.cjs')

const main = join(__dirname, '../dist/main.js')
const problem = prepare()
if (problem !== undefined) {
  process.stderr.write(`calico-vault-agent: ${problem}\n`)
  process.exit(78)
}
const node = findNode()
if (node === process.execPath) {
  require(main)
} else {
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  // Ctrl-C reaches the child by itself; it decides how it ends.
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) process.on(signal, () => signal !== 'SIGINT' && child.kill(signal))
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}
