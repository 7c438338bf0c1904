/** Proves that `doctor` finds nothing wrong with a stack that is in order, and leaves it as it was. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startAgent } from '../../support/agent-in-process.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { snapshot } from '../agent/published.ts'
import { checksOf, createPatient, runDoctor, type Stack, stackMissing, stackName, startStack, user } from './stack.ts'

describe.skipIf(stackMissing !== undefined)(`doctor on a stack in order: ${stackName}`, () => {
  let stack: Stack
  beforeAll(async () => {
    stack = await startStack()
  }, 180_000)
  afterAll(() => stack?.stop())

  it('before installation: everything is ok, and nothing is written', async () => {
    const patient = await createPatient(stack)
    const found = await runDoctor(patient, { args: ['--output', 'json'] })
    const checks = checksOf(found)
    expect(checks.filter(({ status }) => status !== 'ok')).toMatchObject([
      { check: 'ca-rotation', status: 'skipped', saw: ['nothing is published yet'] },
    ])
    expect(found.code).toBe(0)
    expect(checks).toHaveLength(21)
    expect(readdirSync(patient.directory)).toEqual([])
  })

  it('with a VAULT_TOKEN that is set for other programs', async () => {
    const patient = await createPatient(stack)
    const env = { VAULT_TOKEN: 'hvs.of-somebody-else' }
    expect((await runDoctor(patient, { args: ['--output', 'json'], env })).code).toBe(0)
  })

  it('beside a running agent: the certificate and the phase of the CA rotation are named, and the files stay', async () => {
    const patient = await createPatient(stack)
    const agent = await startAgent(patient.environment)
    await agent.nextEvent('published')
    const before = snapshot(patient.directory)
    const found = await runDoctor(patient, {})
    expect(found).toMatchObject({ code: 0, stderr: '' })
    expect(found.stdout).toContain(`CN=${user}, serial`)
    expect(found.stdout).toContain('steady: one CA signs')
    expect(found.stdout).toMatch(/^21 ok$/m)
    expect(snapshot(patient.directory)).toEqual(before)
  })

  it('--no-sign: no certificate is signed, and etcd is asked with the published one', async () => {
    const patient = await createPatient(stack)
    const agent = await startAgent(patient.environment)
    await agent.nextEvent('published')
    const checks = checksOf(await runDoctor(patient, { args: ['--no-sign', '--output', 'json'] }))
    expect(checks.filter(({ status }) => status === 'skipped').map(({ check }) => check)).toEqual([
      'signing',
      'ca-rotation',
    ])
    expect(checks.find(({ check }) => check === 'etcd-keys')).toMatchObject({ status: 'ok' })
  })

  it('on a laptop, without a token and without a directory: what needs none of them is checked', async () => {
    const patient = await createPatient(stack)
    const nowhere = join(tempDir(), 'nowhere')
    const env = { AGENT_AUTH_TOKEN_FILE: nowhere, AGENT_DIR: nowhere }
    const found = await runDoctor(patient, { args: ['--output', 'json'], env })
    const passed = checksOf(found).filter(({ status }) => status === 'ok')
    expect(passed.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['vault-name', 'vault-tls', 'vault-state', 'clock', 'issuers']),
    )
    expect(found.code).toBe(69)
  })

  it('says no secret: no token, no key', async () => {
    const patient = await createPatient(stack)
    const token = await stack.token()
    writeFileSync(patient.tokenFile, token)
    const { stdout, stderr } = await runDoctor(patient, { args: ['--output', 'json'] })
    for (const part of token.split('.')) expect(stdout + stderr).not.toContain(part)
    expect(stdout + stderr).not.toMatch(/PRIVATE KEY|hv[bs]\./)
  })

  it.each([['--output', 'yaml'], ['--consumer', 'root'], ['--sign']])('refuses %s %s', async (...args) => {
    const { code, stderr } = await runDoctor(await createPatient(stack), { args })
    expect(code).toBe(64)
    expect(stderr).toContain(args[0])
  })
})
