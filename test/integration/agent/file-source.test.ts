/**
 * Proves AGENT_SOURCE=file on real directories: a delivered certificate is taken over as soon as it is whole, however it comes
 * there, and without a single variable of Vault.
 */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startAgent } from '../../support/agent-in-process.ts'
import { spawnAgent } from '../../support/agent-process.ts'
import { createCa, type LeafOptions, type TestCertificate } from '../../support/certificates.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { readPublished, snapshot } from './published.ts'

const ca = await createCa({ commonName: 'Made elsewhere' })
const minuteMs = 60_000
const ago = (ms: number): Date => new Date(Math.floor(Date.now() / 1000) * 1000 - ms)

const issue = async (options: LeafOptions = {}): Promise<TestCertificate> =>
  await ca.issue({ commonName: 'calico-node:node1', ...options })

interface Place {
  /** Somebody else fills it. */
  readonly delivered: string
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
}

function place(name = 'delivered'): Place {
  const root = tempDir()
  const [delivered, directory] = [join(root, name), join(root, 'secrets')]
  mkdirSync(directory)
  const environment = {
    AGENT_SOURCE: 'file',
    AGENT_SOURCE_DIR: delivered,
    NODE_NAME: 'node1',
    AGENT_DIR: directory,
    AGENT_LISTEN: '127.0.0.1:0',
  }
  return { delivered, directory, environment }
}

/** As configuration management does: one file after the other. */
function write(delivered: string, { certificatePem, privateKeyPem }: TestCertificate): void {
  mkdirSync(delivered, { recursive: true })
  writeFileSync(join(delivered, 'etcd-cert'), certificatePem)
  writeFileSync(join(delivered, 'etcd-key'), privateKeyPem)
  writeFileSync(join(delivered, 'etcd-ca'), ca.certificatePem)
}

/** As the kubelet and CSI drivers do: a generation behind a link. */
function swap(delivered: string, name: string, certificate: TestCertificate): void {
  write(join(delivered, name), certificate)
  symlinkSync(name, join(delivered, '..data_tmp'))
  renameSync(join(delivered, '..data_tmp'), join(delivered, '..data'))
}

const serialIn = (directory: string): string => readPublished(directory).leaf.serialNumber
const changed = ({ reason }: { reason: string }): boolean => reason === 'source-changed'

describe('a directory that somebody else fills', () => {
  it.each([
    ['files', (delivered: string, _name: string, certificate: TestCertificate) => write(delivered, certificate)],
    ['generations behind a link', swap],
  ])('of %s: every change is followed at once', async (_name, put) => {
    const { delivered, directory, environment } = place()
    const first = await issue({ notBefore: ago(9 * minuteMs) })
    put(delivered, '..1', first)
    const agent = await startAgent(environment, { watch: true })
    await agent.nextEvent('published')
    expect(serialIn(directory)).toBe(first.serialNumber)
    for (let round = 2; round < 5; round++) {
      const next = await issue({ notBefore: ago((9 - round) * minuteMs) })
      put(delivered, `..${round}`, next)
      await agent.nextEvent('published', changed)
      expect(serialIn(directory)).toBe(next.serialNumber)
    }
    expect(agent.events.filter(({ type }) => type === 'vault-request' || type === 'login')).toEqual([])
  })

  it('that is a link itself, which is swapped', async () => {
    const { delivered, directory, environment } = place('current')
    const [first, second] = [await issue({ notBefore: ago(2 * minuteMs) }), await issue({ notBefore: ago(minuteMs) })]
    write(`${delivered}-v1`, first)
    write(`${delivered}-v2`, second)
    symlinkSync(`${delivered}-v1`, delivered)
    const agent = await startAgent(environment, { watch: true })
    await agent.nextEvent('published')
    symlinkSync(`${delivered}-v2`, `${delivered}-next`)
    renameSync(`${delivered}-next`, delivered)
    await agent.nextEvent('published', changed)
    expect(serialIn(directory)).toBe(second.serialNumber)
  })

  it('without CA certificates there, AGENT_ETCD_CA_FILE is the CA set', async () => {
    const { delivered, directory, environment } = place()
    write(delivered, await issue())
    rmSync(join(delivered, 'etcd-ca'))
    const caFile = join(delivered, '..', 'ca.pem')
    writeFileSync(caFile, ca.certificatePem)
    const agent = await startAgent({ ...environment, AGENT_SOURCE_FIELDS: 'ca=', AGENT_ETCD_CA_FILE: caFile })
    await agent.nextEvent('published')
    expect(readPublished(directory).caNames).toEqual(['Made elsewhere'])
  })

  it('a torn pair is not published; the rest of it is taken at once', async () => {
    const { delivered, directory, environment } = place()
    write(delivered, await issue({ notBefore: ago(2 * minuteMs) }))
    const agent = await startAgent(environment, { watch: true })
    await agent.nextEvent('published')
    const before = snapshot(directory)
    const next = await issue({ notBefore: ago(minuteMs) })
    writeFileSync(join(delivered, 'etcd-cert'), next.certificatePem)
    expect(await agent.nextEvent('renewal-failed')).toMatchObject({ reason: 'key-mismatch' })
    expect(snapshot(directory)).toEqual(before)
    writeFileSync(join(delivered, 'etcd-key'), next.privateKeyPem)
    await agent.nextEvent('published', changed)
    expect(serialIn(directory)).toBe(next.serialNumber)
  })

  it('files that vanish take nothing with them', async () => {
    const { delivered, directory, environment } = place()
    write(delivered, await issue())
    const agent = await startAgent(environment, { watch: true })
    await agent.nextEvent('published')
    const before = snapshot(directory)
    rmSync(join(delivered, 'etcd-key'))
    expect(await agent.nextEvent('ca-refresh-failed')).toMatchObject({
      reason: 'source-incomplete',
      detail: `${delivered}: etcd-key is missing or empty`,
    })
    expect(snapshot(directory)).toEqual(before)
  })
})

describe('as a process', () => {
  it('waits for the first delivery, and is ready then; no variable of Vault is needed', async () => {
    const { delivered, directory, environment } = place()
    mkdirSync(delivered)
    const agent = spawnAgent(environment)
    expect(await agent.nextLine(({ event }) => event === 'renewal-failed')).toMatchObject({ reason: 'source-empty' })
    await agent.nextLine(({ event }) => event === 'listening')
    expect((await agent.ask('/readyz')).status).toBe(503)
    const certificate = await issue()
    write(delivered, certificate)
    await agent.nextLine(({ event }) => event === 'published')
    expect(serialIn(directory)).toBe(certificate.serialNumber)
    expect((await agent.ask('/readyz')).status).toBe(200)
  })

  it('init says what is missing, with what to do', async () => {
    const { delivered, environment } = place()
    const agent = spawnAgent(environment, { args: ['init', '--wait', '1s'] })
    expect(await agent.ended).toMatchObject({ code: 69 })
    expect(agent.stderr()).toContain(`${delivered}: etcd-cert, etcd-key, etcd-ca are missing or empty\n  Write certifi`)
  })
})
