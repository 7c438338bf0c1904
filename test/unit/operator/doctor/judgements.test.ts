import { describe, expect, it } from 'vitest'
import { failure, ok, type Verdict } from '../../../../agent/operator/doctor/check.ts'
import { judgeReader } from '../../../../agent/operator/doctor/checks/consumers.ts'
import { judgeDirectory, judgeMount, judgePublished } from '../../../../agent/operator/doctor/checks/directory.ts'
import { judgeMembers } from '../../../../agent/operator/doctor/checks/etcd.ts'
import { judgeClaims } from '../../../../agent/operator/doctor/checks/inputs.ts'
import { judgeCapabilities } from '../../../../agent/operator/doctor/checks/login.ts'
import { judgeIssuers, withUnusable } from '../../../../agent/operator/doctor/checks/pki.ts'
import { joinVerdicts, judgeSeal, judgeServer, judgeSkew } from '../../../../agent/operator/doctor/checks/vault.ts'
import { parseCertificates } from '../../../../agent/pki/certificate.ts'
import { createCa } from '../../../support/certificates.ts'
import { bundleOf } from '../../pki/parsed.ts'

const nowMs = Date.parse('2026-11-21T00:00:00Z')

describe('clocks', () => {
  it.each([
    [undefined, 'warning'],
    [2999, 'ok'],
    [-2999, 'ok'],
    [3000, 'warning'],
    [-29_999, 'warning'],
    [30_000, 'failure'],
    [-7_200_000, 'failure'],
  ])('%s ms apart: %s', (skewMs, status) => {
    expect(judgeSkew(skewMs).status).toBe(status)
  })
})

describe('the seal', () => {
  const state = { version: '1.21.4', cluster: 'vault-1', clusterId: undefined }
  it('unsealed', () => {
    expect(judgeSeal({ ...state, initialized: true, sealed: false }).status).toBe('ok')
  })
  it('sealed', () => {
    expect(judgeSeal({ ...state, initialized: true, sealed: true })).toMatchObject({ code: 'vault-sealed' })
  })
  it('never initialized is told apart', () => {
    const { saw, advice } = judgeSeal({ ...state, initialized: false, sealed: true })
    expect([saw, advice]).toMatchObject([expect.stringContaining('not initialized'), expect.stringContaining('Init')])
  })
})

describe('several addresses', () => {
  const at = (...verdicts: Verdict[]) =>
    joinVerdicts(verdicts.map((verdict, index) => ({ origin: `https://${index}`, verdict })))
  it('one is told as it is', () => {
    expect(at(ok('fine'))).toEqual(ok('fine'))
  })
  it('all are good', () => {
    expect(at(ok('a'), ok('b'))).toEqual(ok('https://0: a\nhttps://1: b'))
  })
  it('one that is not is a warning with its reason, as the agent asks another', () => {
    const found = at(ok('a'), failure('b', 'vault-sealed'))
    expect(found).toMatchObject({ status: 'warning', code: 'vault-sealed', saw: 'https://0: a\nhttps://1: b' })
  })
  it('none that is good is a failure', () => {
    expect(at(failure('a', 'vault-tls'), failure('b', 'vault-sealed'))).toMatchObject({
      status: 'failure',
      code: 'vault-tls',
    })
  })
})

describe('the credential', () => {
  const claims = {
    expiresAtMs: nowMs + 600_000,
    beginsAtMs: nowMs,
    nodeName: 'node1',
    nodeUid: undefined,
    podName: 'calico-node-1',
    serviceAccount: 'kube-system:calico-node',
    audiences: ['vault-calico'],
    issuer: 'https://issuer',
  }
  const jwt = { method: 'jwt', tokenFile: '/token' } as const
  it.each<[string, object, string]>([
    ['good', {}, 'ok'],
    ['expired this moment', { expiresAtMs: nowMs }, 'failure'],
    ['never expires', { expiresAtMs: undefined }, 'ok'],
    ['bound to no pod', { podName: undefined }, 'warning'],
    ['bound to no node', { nodeName: undefined }, 'warning'],
    ["for the API server's short name", { audiences: ['https://kubernetes.default'] }, 'warning'],
    ["for the API server's long name", { audiences: ['x', 'https://kubernetes.default.svc.cluster.local'] }, 'warning'],
    ['for a name that only begins so', { audiences: ['https://kubernetes.default.example.org'] }, 'ok'],
  ])('%s: %s', (_what, change, status) => {
    expect(judgeClaims({ ...claims, ...change }, jwt, nowMs).status).toBe(status)
  })
  it('the kubernetes method needs neither claims nor an own audience', () => {
    const bare = { ...claims, podName: undefined, nodeName: undefined, audiences: ['https://kubernetes.default.svc'] }
    expect(judgeClaims(bare, { ...jwt, method: 'kubernetes' }, nowMs).status).toBe('ok')
  })
})

describe('what the token may do', () => {
  it.each([
    [['update'], 'ok'],
    [['create', 'update'], 'ok'],
    [['deny'], 'failure'],
    [['read', 'create'], 'failure'],
    [['update', 'sudo'], 'warning'],
    [['root'], 'warning'],
  ])('%j: %s', (capabilities, status) => {
    expect(judgeCapabilities('pki/sign/calico-node', capabilities).status).toBe(status)
  })
})

describe('the directory', () => {
  const stat = { mode: 0o40755, uid: 0, gid: 0 }
  const room = { bytes: 1 << 20, inodes: 1000 }
  const files = { mode: 0o400, uid: undefined, gid: undefined }
  const writer = { wanted: files, uid: 0, gids: [0], mayChown: true }
  it.each<[string, object, object, object, string | undefined]>([
    ['good', {}, {}, {}, undefined],
    ['one byte too little', {}, { bytes: 65_535 }, {}, 'directory-full'],
    ['no inodes', {}, { inodes: 15 }, {}, 'directory-full'],
    ['open to everybody', { mode: 0o40777 }, {}, {}, 'directory-denied'],
    ['sticky', { mode: 0o41777 }, {}, {}, undefined],
    ['files of another user, with CHOWN', {}, {}, { wanted: { ...files, uid: 999 } }, undefined],
    ['files of another user, without', {}, {}, { wanted: { ...files, uid: 999 }, mayChown: false }, 'directory-denied'],
    ['files of an own group', {}, {}, { wanted: { ...files, gid: 7 }, gids: [0, 7], mayChown: false }, undefined],
    ['files of a strange group', {}, {}, { wanted: { ...files, gid: 7 }, mayChown: false }, 'directory-denied'],
  ])('%s: %s', (_what, change, left, who, code) => {
    expect(judgeDirectory('/d', { ...stat, ...change }, { ...room, ...left }, { ...writer, ...who }).code).toBe(code)
  })

  it.each([
    [0x01021994, 'ok', 'tmpfs: private keys stay in memory'],
    [0x858458f6, 'ok', 'ramfs: private keys stay in memory'],
    [0xef53, 'warning', 'ext4: private keys are on disk'],
    [0x794c7630, 'warning', 'overlay'],
    [0x1234, 'warning', '0x1234: private keys are on disk'],
  ])('on %i: %s (%s)', (type, status, name) => {
    expect(judgeMount('/d', type)).toMatchObject({ status, saw: `/d is on ${name}` })
  })

  const place = { path: '/d/etcd-key', bits: 4, uid: 0, gid: 7 }
  it.each<[string, { uid: number; gid: number }, number, string]>([
    ['root', { uid: 0, gid: 0 }, 0o100000, 'ok'],
    ['the group', { uid: 999, gid: 7 }, 0o100440, 'ok'],
    ['another group', { uid: 999, gid: 8 }, 0o100440, 'failure'],
    ['others', { uid: 999, gid: 8 }, 0o100444, 'ok'],
    ['a group that has less than others', { uid: 999, gid: 7 }, 0o100404, 'failure'],
  ])('%s reads: %#o', (_who, reader, mode, status) => {
    expect(judgeReader(reader, [{ ...place, mode }]).status).toBe(status)
  })
})

describe('members of etcd', () => {
  const about = ['etcd-untrusted-server', 'etcd-unheard'] as const
  const [good, deaf, bad] = (['accepted', 'etcd-unheard', 'etcd-untrusted-server'] as const).map((code) => ({
    code,
    detail: code,
  }))
  it.each([
    [[good], 'ok', undefined],
    [[good, deaf], 'warning', 'etcd-unheard'],
    [[deaf, bad], 'failure', 'etcd-untrusted-server'],
    [[{ code: 'etcd-unknown-user', detail: '' } as const], 'ok', undefined],
  ])('%j', (findings, status, code) => {
    expect(
      judgeMembers(
        findings.filter((each) => each !== undefined),
        about,
      ),
    ).toMatchObject({ status, ...(code && { code }) })
  })
})

describe('certificates of others', () => {
  it('a server whose certificate is in the last tenth of its life is a warning', async () => {
    const ca = await createCa({ commonName: 'CA' })
    const chain = parseCertificates((await ca.issue({ commonName: 'vault', server: true })).certificatePem)
    const [leaf] = chain
    const startMs = leaf?.validFromDate.getTime() ?? 0
    const lifeMs = (leaf?.validToDate.getTime() ?? 0) - startMs
    const view = { protocol: 'TLSv1.3', chain, failure: undefined }
    expect(judgeServer(view, startMs + lifeMs * 0.89).status).toBe('ok')
    expect(judgeServer(view, startMs + lifeMs * 0.91).status).toBe('warning')
  })

  it('issuers: none, all expired, one that ends soon', async () => {
    const { certificatePem } = await createCa({ commonName: 'CA' })
    const issuers = parseCertificates(certificatePem)
    const endMs = issuers[0]?.validToDate.getTime() ?? 0
    const pki = { mount: 'pki', ttlSeconds: 60 }
    expect(judgeIssuers([], pki, nowMs)).toMatchObject({ status: 'failure', code: 'vault-not-found' })
    expect(judgeIssuers(issuers, pki, endMs)).toMatchObject({ status: 'failure', code: 'expired' })
    expect(judgeIssuers(issuers, pki, endMs - 29 * 60_000)).toMatchObject({ status: 'warning' })
    const dayMs = 86_400_000
    expect(judgeIssuers(issuers, pki, endMs - 364 * dayMs)).toMatchObject({
      status: 'warning',
      advice: expect.stringMatching(
        /^From \d{4}-\d\d-\d\d on, certificates of CN=CA live shorter .*ca-rotation/,
      ) as string,
    })
    expect(judgeIssuers(issuers, pki, endMs - 366 * dayMs)).toMatchObject({ status: 'ok' })
    expect(judgeIssuers(issuers, pki, endMs - 59_000)).toMatchObject({
      advice: expect.stringMatching(/^Certificates of CN=CA already live shorter than AGENT_TTL/) as string,
    })
  })

  it('an issuer that cannot be used is a warning that names it; what is worse stays what it is', () => {
    const told = {
      type: 'ca-refresh-failed',
      component: 'calico-node',
      reason: 'ca-unusable',
      detail: 'pki/issuer/x: odd',
    } as const
    expect(withUnusable(ok('CN=CA'), [told, told])).toMatchObject({
      status: 'warning',
      code: 'ca-unusable',
      saw: 'CN=CA\npki/issuer/x: odd',
    })
    expect(withUnusable(ok('CN=CA'), [])).toEqual(ok('CN=CA'))
    expect(withUnusable(failure('none', 'expired'), [told])).toEqual(failure('none', 'expired'))
  })

  it('a CA certificate in place that cannot be used is a warning that names it', async () => {
    const ca = await createCa({ commonName: 'CA' })
    const bundle = bundleOf(await ca.issue({ commonName: 'calico-node:node1' }), [ca])
    const clocks = { earliestMs: Date.now(), latestMs: Date.now() }
    const context = { nowMs: Date.now(), clocks, commonName: 'calico-node:node1', minLifetimeMs: 0, live: [] }
    const flawed = { ...bundle, unusableCa: ['/d: etcd-ca: PEM certificate 1: odd'] }
    expect(judgePublished(bundle, true, context).status).toBe('ok')
    expect(judgePublished(flawed, true, context)).toMatchObject({
      status: 'warning',
      code: 'ca-unusable',
      saw: expect.stringContaining('PEM certificate 1: odd'),
    })
  })
})
