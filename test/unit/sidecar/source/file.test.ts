import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { AgentError } from '../../../../agent/core/errors.ts'
import { createFileSource } from '../../../../agent/sidecar/source/file.ts'
import type { Candidate } from '../../../../agent/sidecar/source/source.ts'
import { createCa, type TestCertificate } from '../../../support/certificates.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const commonName = 'calico-node:node1'
const root = await createCa({ commonName: 'Root' })
const leaves = [await root.issue({ commonName }), await root.issue({ commonName })] as const
const target = { component: 'calico-node', directory: '/x', pkiRole: '', commonName }
const isRoot = process.getuid?.() === 0

let directory: string
beforeEach(() => {
  directory = join(tempDir(), 'delivered')
  mkdirSync(directory)
})

function fill(place: string, { certificatePem, privateKeyPem }: TestCertificate): void {
  mkdirSync(place, { recursive: true })
  writeFileSync(join(place, 'tls.crt'), certificatePem)
  writeFileSync(join(place, 'tls.key'), privateKeyPem)
  writeFileSync(join(place, 'ca.crt'), root.certificatePem)
}

const source = (place = directory) =>
  createFileSource({
    kind: 'file',
    directories: { 'calico-node': place },
    fields: { certificate: 'tls.crt', key: 'tls.key', ca: 'ca.crt' },
    pollMs: 60_000,
  })

const obtain = async (place?: string): Promise<Candidate | undefined> =>
  await source(place).obtain({ target, commonName, published: undefined }, undefined)

async function refusal(): Promise<string> {
  try {
    await obtain()
  } catch (error) {
    if (error instanceof AgentError) return `${error.code}: ${error.message.replaceAll(directory, 'DIR')}`
    throw error
  }
  return 'none'
}

describe('a directory', () => {
  test('of plain files', async () => {
    fill(directory, leaves[0])
    expect((await obtain())?.leaf.serialNumber).toBe(leaves[0].serialNumber)
  })

  test('as the kubelet and CSI drivers fill it, over swaps', async () => {
    for (const [index, leaf] of leaves.entries()) {
      fill(join(directory, `..${index}`), leaf)
      symlinkSync(`..${index}`, join(directory, '..tmp'))
      renameSync(join(directory, '..tmp'), join(directory, '..data'))
      expect((await obtain())?.leaf.serialNumber).toBe(leaf.serialNumber)
    }
  })

  test('that is a link itself, which is swapped', async () => {
    const link = join(directory, 'current')
    for (const [index, leaf] of leaves.entries()) {
      fill(join(directory, `v${index}`), leaf)
      symlinkSync(`v${index}`, join(directory, 'next'))
      renameSync(join(directory, 'next'), link)
      expect((await obtain(link))?.leaf.serialNumber).toBe(leaf.serialNumber)
    }
  })

  test('that is missing, empty or lacks a part is told as that', async () => {
    expect(await refusal()).toBe('source-empty: DIR: tls.crt, tls.key, ca.crt are missing or empty')
    fill(directory, leaves[0])
    rmSync(join(directory, 'tls.key'))
    expect(await refusal()).toBe('source-incomplete: DIR: tls.key is missing or empty')
    writeFileSync(join(directory, 'tls.key'), '\n')
    expect(await refusal()).toBe('source-incomplete: DIR: tls.key is missing or empty')
    rmSync(directory, { recursive: true })
    expect(await refusal()).toMatch(/^source-empty: DIR: /)
  })

  test('whose link leads nowhere is empty', async () => {
    symlinkSync('..gone', join(directory, '..data'))
    expect(await refusal()).toMatch(/^source-empty: DIR: /)
  })

  test('with half a file names the file', async () => {
    fill(directory, leaves[0])
    writeFileSync(join(directory, 'tls.crt'), leaves[0].certificatePem.slice(0, 100))
    expect(await refusal()).toMatch(/^malformed: DIR\/tls.crt: /)
  })

  test('with a directory or too large a file in the place of one', async () => {
    fill(directory, leaves[0])
    rmSync(join(directory, 'ca.crt'))
    mkdirSync(join(directory, 'ca.crt'))
    expect(await refusal()).toBe('source-unreadable: DIR/ca.crt is not a regular file but a directory')
    rmSync(join(directory, 'ca.crt'), { recursive: true })
    writeFileSync(join(directory, 'ca.crt'), 'x'.repeat(1024 * 1024 + 1))
    expect(await refusal()).toMatch(/^source-unreadable: DIR\/ca.crt has 1048577 bytes/)
  })

  test.skipIf(isRoot)(`that may not be read${isRoot ? ' (left out: root reads everything)' : ''}`, async () => {
    fill(directory, leaves[0])
    chmodSync(join(directory, 'tls.key'), 0)
    expect(await refusal()).toMatch(/^source-unreadable: EACCES/)
  })
})

describe('while somebody writes', () => {
  /** A writer in a process of its own, as fast as it can, from when this resolves until the test ends. */
  async function startWriter(script: string): Promise<void> {
    const writer = spawn(process.execPath, ['-e', script, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(async () => {
      writer.kill('SIGKILL')
      if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit')
    })
    await once(writer.stdout, 'data')
  }

  test('generations behind a link, every read is whole', async () => {
    for (const [index, leaf] of leaves.entries()) fill(join(directory, `..${index}`), leaf)
    symlinkSync('..0', join(directory, '..data'))
    await startWriter(`
      const fs = require('node:fs'), dir = process.argv[1]
      for (let at = 0, isTold = false; ; at = 1 - at) {
        fs.symlinkSync('..' + at, dir + '/..tmp')
        fs.renameSync(dir + '/..tmp', dir + '/..data')
        if (!isTold) isTold = fs.writeSync(1, '.') > 0
      }`)
    const serials = new Set<string>()
    for (let read = 0; read < 2000; read++) {
      try {
        const { leaf, key } = (await obtain()) ?? {}
        expect(key && leaf?.checkPrivateKey(key)).toBe(true)
        serials.add(leaf?.serialNumber ?? '')
      } catch (error) {
        // Swapped three times within one read.
        expect(error).toMatchObject({ code: 'source-incomplete', message: `${directory} is just being written` })
      }
    }
    expect([...serials].toSorted()).toEqual(leaves.map(({ serialNumber }) => serialNumber).toSorted())
  })
})
