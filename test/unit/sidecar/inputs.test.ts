import { chmodSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Auth } from '../../../agent/config/auth.ts'
import { AgentError } from '../../../agent/core/errors.ts'
import { type ReasonCode, reasons } from '../../../agent/core/reason-catalog.ts'
import { createInputReader, endsWait, mendedBy } from '../../../agent/sidecar/inputs.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { hourMs, type Rig, rotationRig } from './rotation-rig.ts'

/** A service-account token as the kubelet renews it: other times, the same bearer. */
function token(claims: object, header: object = { alg: 'RS256', kid: 'one' }): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part(header)}.${part(claims)}.c2ln`
}
const claims = {
  sub: 'system:serviceaccount:kube-system:calico-node',
  aud: ['vault'],
  'kubernetes.io': { node: { name: 'node1', uid: '1' }, pod: { name: 'calico-node-x', uid: '2' } },
}

interface Stage extends Rig {
  readonly files: Readonly<Record<'token' | 'etcdCa' | 'vaultCa', string>>
}

/** A target with a good certificate whose renewal fails for this reason: for a day of tries, so that they are far apart. */
async function failing(code: ReasonCode): Promise<Stage> {
  const root = tempDir()
  const files = { token: join(root, 'token'), etcdCa: join(root, 'etcd-ca.pem'), vaultCa: join(root, 'vault-ca.pem') }
  for (const file of Object.values(files)) writeFileSync(file, 'content')
  writeFileSync(files.token, token({ ...claims, iat: 1, exp: 600 }))
  const auth: Auth = { method: 'jwt', mount: 'jwt', role: 'calico-node', tokenFile: files.token }
  const rig = await rotationRig({
    inputs: { auth, vault: { caFile: files.vaultCa } as never, etcdCaFile: files.etcdCa },
    etcdCaFromFile: true,
  })
  await rig.start()
  rig.vault.failure = new AgentError(code, 'as told')
  rig.clock.advance(16 * hourMs)
  await rig.clock.nextSleep()
  await rig.clock.pass(20 * 60_000)
  expect(rig.loop.failure()?.code).toBe(code)
  return Object.assign(rig, { files })
}

/** How many tries more there are within a second, each change noticed at once. */
async function triesAfter(rig: Stage, change: (rig: Stage) => void): Promise<number> {
  const before = rig.told('renewal-failed').length
  change(rig)
  rig.loop.recheck()
  await rig.clock.nextSleep()
  return rig.told('renewal-failed').length - before
}

const rewrite = (file: string, text: string): void => {
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
}

type Change = (rig: Stage) => void
const changes = {
  'token renewed': ({ files }) => rewrite(files.token, token({ ...claims, iat: 481, exp: 1081, jti: 'another' })),
  'token of another bearer': ({ files }) =>
    rewrite(files.token, token({ ...claims, sub: 'system:serviceaccount:a:b' })),
  'token signed with another key': ({ files }) =>
    rewrite(files.token, token({ ...claims, iat: 1, exp: 600 }, { alg: 'RS256', kid: 'two' })),
  "Vault's CA": ({ files }) => rewrite(files.vaultCa, 'other content'),
  "etcd's CA": ({ files }) => rewrite(files.etcdCa, 'other content'),
  'mode of the directory': ({ path }) => chmodSync(path, 0o711),
  'what the source holds': (rig) => {
    rig.sourceState = 'another'
  },
  'the same content again': ({ files }) => {
    rewrite(files.vaultCa, 'content')
    rewrite(files.etcdCa, 'content')
    rewrite(files.token, token({ ...claims, iat: 1, exp: 600 }))
  },
  'files touched': ({ files, path }) => {
    for (const each of [...Object.values(files), path, join(path, '..data', 'etcd-key')]) utimesSync(each, 1, 1)
  },
  'something else in the directory': ({ path }) => writeFileSync(join(path, 'a file'), 'of somebody else'),
} satisfies Record<string, Change>

type ChangeName = keyof typeof changes

/** What ends the wait after which failure; everything else does not. */
const endedBy: readonly (readonly [ReasonCode, readonly ChangeName[]])[] = [
  ['vault-unreachable', []],
  ['vault-sealed', []],
  ['vault-rate-limited', []],
  ['vault-request-refused', []],
  ['vault-tls', ["Vault's CA"]],
  ['vault-login-refused', ['token of another bearer', 'token signed with another key']],
  ['vault-denied', ['token of another bearer', 'token signed with another key']],
  ['credential-expired', ['token renewed', 'token of another bearer', 'token signed with another key']],
  ['credential-missing', ['token renewed', 'token of another bearer', 'token signed with another key']],
  ['file-invalid', ["Vault's CA", "etcd's CA"]],
  ['untrusted-chain', ["etcd's CA", 'what the source holds']],
  ['source-incomplete', ['what the source holds']],
  ['directory-occupied', ['mode of the directory']],
  ['budget-spent', []],
]

describe('what changed × what failed → tries', () => {
  const table = endedBy.flatMap(([code, ending]) =>
    (Object.keys(changes) as ChangeName[]).map((name) => [code, name, ending.includes(name) ? 1 : 0] as const),
  )

  test.each(table)('%s, %s: %d', async (code, name, tries) => {
    const rig = await failing(code)
    expect(await triesAfter(rig, changes[name])).toBe(tries)
    // Once: that it stays changed ends no other wait.
    expect(await triesAfter(rig, () => {})).toBe(0)
  })

  test('is noticed within 30 s where nothing watches', async () => {
    const rig = await failing('credential-expired')
    const before = rig.told('renewal-failed').length
    changes['token renewed'](rig)
    await rig.clock.pass(30_000)
    expect(rig.told('renewal-failed')).toHaveLength(before + 1)
  })

  test('an hour of events without Vault: not one try more than without them', async () => {
    const [quiet, busy] = [await failing('vault-unreachable'), await failing('vault-unreachable')]
    const before = busy.told('renewal-failed').length
    await quiet.clock.pass(hourMs)
    for (let index = 0; index < 3600; index++) {
      if (index % 480 === 0) rewrite(busy.files.token, token({ ...claims, iat: index }))
      else utimesSync(busy.path, index, index)
      busy.loop.recheck()
      await busy.clock.nextSleep()
      busy.clock.advance(1000)
    }
    expect(busy.told('renewal-failed').length - before).toBe(quiet.told('renewal-failed').length - before)
  })
})

test('each reason says what mends it, and nothing mends an outage but the way to it', () => {
  const codes = Object.keys(reasons) as ReasonCode[]
  const outages = codes.filter((code) => reasons[code].about === 'vault' && mendedBy(code).length > 0)
  expect(outages.toSorted()).toEqual(['vault-denied', 'vault-login-refused', 'vault-tls'])
  for (const code of codes) expect(endsWait(code, {}, {})).toBe(false)
})

test('an input that cannot be read is one that does not change', () => {
  const directory = join(tempDir(), 'missing')
  const auth: Auth = { method: 'jwt', mount: 'jwt', role: 'x', tokenFile: join(directory, 'token') }
  const read = createInputReader({
    config: { auth, vault: undefined, etcdCaFile: join(directory, 'ca') },
    directory,
    source: undefined,
  })
  const all = ['credential', 'login', 'vault-tls', 'etcd-ca', 'directory', 'source'] as const
  const before = read(all)
  expect(read(all)).toEqual(before)
  mkdirSync(directory)
  expect(read(['directory'])).not.toEqual({ directory: before.directory })
  rmSync(directory, { recursive: true })
  expect(read(all)).toEqual(before)
})
