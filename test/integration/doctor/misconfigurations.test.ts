/** Proves that `doctor` finds each misconfiguration of the table where it is, says what to do, and blames nothing else. */
import { chmodSync, copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canMount, remount, tempFileSystem } from '../../support/temp-dir.ts'
import { etcdMisconfigurations } from './misconfigurations/etcd.ts'
import { machineMisconfigurations } from './misconfigurations/machine.ts'
import { vaultMisconfigurations } from './misconfigurations/vault.ts'
import { checksOf, createPatient, runDoctor, type Stack, stackMissing, stackName, startStack } from './stack.ts'

const misconfigurations = [...machineMisconfigurations, ...vaultMisconfigurations, ...etcdMisconfigurations]

/** Exit code by the worst. */
const exitCodes = { ok: 0, warning: 1, failure: 69 }

describe.skipIf(stackMissing !== undefined)(`doctor finds what is wrong: ${stackName}`, () => {
  let stack: Stack
  beforeAll(async () => {
    stack = await startStack()
  }, 180_000)
  afterAll(() => stack?.stop())

  it.each(misconfigurations)('$title: $check', async ({ spoil, check, status = 'failure', also = [], ...expected }) => {
    const patient = await createPatient(stack)
    const run = await spoil(stack, patient)
    const found = await runDoctor(patient, { ...run, args: [...(run.args ?? []), '--output', 'json'] })
    const checks = checksOf(found)
    const bad = checks.filter((each) => each.status === 'failure' || each.status === 'warning')
    expect(bad.map((each) => each.check).toSorted()).toEqual([check, ...also].toSorted())
    const { saw = [], advice, reason, see, ...rest } = bad.find((each) => each.check === check) ?? {}
    expect(rest).toMatchObject({ status })
    expect(saw.join('\n')).toMatch(expected.saw)
    expect(advice).toMatch(expected.advice)
    expect(reason).toBe(expected.reason)
    expect(see).toBe(reason === undefined ? `docs/doctor.md#${check}` : `docs/runbook.md#${reason}`)
    const worst = bad.some((each) => each.status === 'failure') ? 'failure' : 'warning'
    expect(found.code).toBe(check === 'configuration' ? 78 : exitCodes[worst])
  })

  const isRoot = process.getuid?.() === 0
  it.skipIf(!isRoot)(
    `the agent may not write the directory: directory${isRoot ? '' : ' (left out: needs root)'}`,
    async () => {
      const patient = await createPatient(stack)
      const etcdCa = join(patient.root, 'etcd-ca.pem')
      copyFileSync(stack.etcd.caFile, etcdCa)
      // All but the directory is open to everybody.
      chmodSync(patient.root, 0o755)
      const env = { VAULT_CACERT_BYTES: stack.vault.caPem, AGENT_ETCD_CA_FILE: etcdCa }
      const found = await runDoctor(patient, { uid: 65_534, env, args: ['--output', 'json'] })
      const bad = checksOf(found).filter((each) => each.status === 'failure')
      const advice = 'Check its owner and the user of the agent.'
      expect(bad).toMatchObject([{ check: 'directory', reason: 'directory-denied', advice }])
    },
  )

  it.skipIf(!canMount)(
    `the volume is mounted read-only: directory${canMount ? '' : ' (left out: needs mount)'}`,
    async () => {
      const patient = await createPatient(stack)
      const volume = tempFileSystem('size=1m')
      remount(volume, 'ro')
      const found = await runDoctor(patient, { env: { AGENT_DIR: volume }, args: ['--output', 'json'] })
      const bad = checksOf(found).filter((each) => each.status === 'failure')
      expect(bad).toMatchObject([{ check: 'directory', reason: 'directory-read-only' }])
      expect(bad[0]?.advice).toContain('emptyDir')
    },
  )
})
