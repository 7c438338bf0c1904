import { readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import type { ReasonCode } from '../../../agent/core/reason-catalog.ts'
import { acceptCertificate } from '../../../agent/sidecar/acceptance.ts'
import { createContext, type TargetContext } from '../../../agent/sidecar/context.ts'
import { saveFallback } from '../../../agent/sidecar/fallback.ts'
import { fallBack, inspect, refreshCaSet, repair } from '../../../agent/sidecar/inspection.ts'
import { publish } from '../../../agent/sidecar/publication.ts'
import type { Candidate } from '../../../agent/sidecar/source/source.ts'
import type { LeafOptions } from '../../support/certificates.ts'
import { clear, plant, publishedIn, snapshot } from './rotation-files.ts'
import { hourMs, newCa, oldCa, type Rig, rotationRig, startMs, x509 } from './rotation-rig.ts'

let rig: Rig
let context: TargetContext
beforeEach(async () => {
  rig = await rotationRig({ withState: true, withBootstrap: true })
  context = createContext(rig.options)
})

/** As renew does, with a certificate that the test has. */
async function publishNew(candidate: Candidate, reason: ReasonCode): Promise<void> {
  const bundle = await acceptCertificate(context, candidate)
  await publish(context, bundle, reason, rig.clock.now())
  saveFallback(context, bundle)
}

/** Why a new certificate is wanted after an inspection and the repair that it asks for. */
async function inspected(): Promise<ReasonCode | undefined> {
  inspect(context, 'a fingerprint')
  const { repair: wanted } = context.state()
  if (wanted !== undefined) await repair(context, wanted)
  return context.state().request?.reason
}

async function fallenBack(): Promise<boolean> {
  await fallBack(context)
  return context.state().published !== undefined
}

async function refusal(act: () => Promise<unknown>): Promise<string> {
  try {
    await act()
  } catch (error) {
    if (error instanceof AgentError) return error.code
    throw error
  }
  return 'accepted'
}

describe('publish', () => {
  test('makes the candidate visible, tells of it, and plans its renewal', async () => {
    const candidate = await rig.candidate()
    await publishNew(candidate, 'never-published')
    const { bundle, plan } = context.state().published ?? {}
    expect(bundle?.leaf).toBe(candidate.leaf)
    expect(snapshot(rig.path)).toMatchObject({
      'etcd-cert': bundle?.text.certificate,
      'etcd-key': bundle?.text.key.reveal(),
      'etcd-ca': bundle?.text.ca,
    })
    expect(rig.told('published')).toEqual([
      {
        type: 'published',
        component: 'calico-node',
        reason: 'never-published',
        durationMs: 0,
        certificate: {
          serialNumber: candidate.leaf.serialNumber,
          notBeforeMs: startMs - 30_000,
          notAfterMs: startMs + 24 * hourMs,
          renewAtMs: plan?.renewAtMs,
          ca: {
            count: 1,
            earliestExpiryMs: x509(oldCa).validToDate.getTime(),
            changedSinceStart: false,
            addedAtMs: statSync(join(rig.path, 'etcd-ca')).mtimeMs,
            certificates: [
              {
                fingerprint: x509(oldCa).fingerprint256.toLowerCase().replaceAll(':', '').slice(0, 16),
                subject: 'Old CA',
                inUseUntilMs: startMs + 24 * hourMs,
              },
            ],
          },
        },
      },
    ])
    expect(plan?.renewAtMs).toBeGreaterThan(startMs + 12 * hourMs)
    expect(plan?.renewAtMs).toBeLessThan(startMs + 22 * hourMs)
  })

  const leaves: [ReasonCode, LeafOptions][] = [
    ['wrong-name', { commonName: 'calico-node:node2' }],
    ['not-client-auth', { server: true }],
    ['not-yet-valid', { notBefore: new Date(startMs + 60_000) }],
    ['expired', { notAfter: new Date(startMs) }],
    ['lifetime-too-short', { notAfter: new Date(startMs + 59_000) }],
  ]
  test.each(leaves)(
    'refuses what is %s; what was published stays, on disk, in memory and in the cache',
    async (code, leaf) => {
      await publishNew(await rig.candidate(), 'never-published')
      const before = [snapshot(rig.path), snapshot(rig.statePath), context.state().published, rig.events.length]
      const bad = await rig.candidate(oldCa, leaf)
      expect(await refusal(() => publishNew(bad, 'renewal-due'))).toBe(code)
      expect([snapshot(rig.path), snapshot(rig.statePath), context.state().published, rig.events.length]).toEqual(
        before,
      )
    },
  )

  test('refuses a key of another certificate, and a chain to nowhere', async () => {
    const [one, other] = [await rig.candidate(), await rig.candidate()]
    expect(await refusal(() => publishNew({ ...one, key: other.key }, 'renewal-due'))).toBe('key-mismatch')
    expect(await refusal(() => publishNew({ ...one, issuers: [x509(newCa)] }, 'renewal-due'))).toBe('untrusted-chain')
    expect(readdirSync(rig.path)).toEqual([])
  })

  test('a store error leaves everything as it was', async () => {
    await publishNew(await rig.candidate(), 'never-published')
    const before = context.state().published
    renameSync(rig.path, `${rig.path}-away`)
    const next = await rig.candidate()
    expect(await refusal(() => publishNew(next, 'renewal-due'))).toBe('directory-missing')
    expect(context.state().published).toBe(before)
    expect(rig.told('published')).toHaveLength(1)
  })

  test('keeps one generation for readers that hold its path', async () => {
    for (let count = 0; count < 4; count++) {
      await publishNew(await rig.candidate(), 'renewal-due')
      rig.clock.advance(1000)
    }
    expect(readdirSync(rig.path).filter((each) => /^\.\.\d/.test(each))).toHaveLength(2)
  })
})

describe('inspect', () => {
  test('an empty directory', async () => {
    expect(await inspected()).toBe('never-published')
    expect([context.state().published, rig.events]).toEqual([undefined, []])
  })

  test('a missing directory', async () => {
    rmSync(rig.path, { recursive: true })
    expect(await refusal(() => inspected())).toBe('directory-missing')
  })

  test('the name cannot be told: nothing is judged', async () => {
    plant(rig.path, await rig.candidate())
    rig.wanted.commonName = () => {
      throw new AgentError('credential-missing', 'ENOENT: token')
    }
    expect(await refusal(() => inspected())).toBe('credential-missing')
    expect(context.state().published).toBeUndefined()
  })

  test('the published certificate has expired and its files are gone: neither is put back', async () => {
    await publishNew(await rig.candidate(), 'never-published')
    clear(rig.path)
    rig.clock.advance(25 * hourMs)
    expect(await inspected()).toBe('never-published')
    expect(context.state().published).toBeUndefined()
    expect(readdirSync(rig.path)).toEqual([])
  })

  test('a foreign key beside our certificate: ours is put back', async () => {
    await publishNew(await rig.candidate(), 'never-published')
    const before = snapshot(rig.path)
    plant(rig.path, { ...(await rig.candidate()), key: (await rig.candidate()).key })
    expect(await inspected()).toBeUndefined()
    expect(snapshot(rig.path)).toMatchObject({ ...before, generation: expect.any(String) })
  })
})

describe('refreshCa', () => {
  test('with nothing published does nothing', async () => {
    await refreshCaSet(context, [x509(newCa)])
    expect(rig.events).toEqual([])
  })

  test('writes only a set that has changed, whatever the order', async () => {
    rig.vault.issuers = [oldCa, newCa]
    await publishNew(await rig.candidate(), 'never-published')
    const before = snapshot(rig.path)
    await refreshCaSet(context, [x509(newCa), x509(oldCa), x509(newCa)])
    await refreshCaSet(context, undefined)
    expect(snapshot(rig.path)).toEqual(before)
  })

  test('keeps the plan of the certificate, and goes to the cache as well', async () => {
    await publishNew(await rig.candidate(), 'never-published')
    const plan = context.state().published?.plan
    rig.clock.advance(hourMs)
    await refreshCaSet(context, [x509(oldCa), x509(newCa)])
    expect(context.state().published?.plan).toBe(plan)
    expect(publishedIn(rig.statePath)).toEqual(publishedIn(rig.path))
    expect(publishedIn(rig.path).ca).toEqual(['CN=New CA', 'CN=Old CA'])
  })

  test('never takes away the CA of the published certificate', async () => {
    await publishNew(await rig.candidate(), 'never-published')
    await refreshCaSet(context, [])
    expect(publishedIn(rig.path).ca).toEqual(['CN=Old CA'])
  })
})

describe('restore', () => {
  test('finds nothing', async () => {
    expect(await fallenBack()).toBe(false)
    rmSync(rig.statePath, { recursive: true })
    rmSync(rig.bootstrapPath, { recursive: true })
    expect(await fallenBack()).toBe(false)
    // That there is no such directory (yet) is nothing to tell.
    expect(rig.events).toEqual([])
  })

  test('tells what is wrong with the one and takes the other', async () => {
    plant(rig.statePath, await rig.candidate(oldCa, { commonName: 'other' }))
    plant(rig.bootstrapPath, await rig.candidate(newCa, { commonName: 'other' }), newCa)
    expect(await fallenBack()).toBe(true)
    expect(rig.told('fallback-failed')).toMatchObject([
      { reason: 'wrong-name', detail: expect.stringContaining(rig.statePath) },
    ])
    expect(rig.told('published')).toMatchObject([{ reason: 'restored-from-bootstrap' }])
    expect(publishedIn(rig.path).leaf.issuer).toBe('CN=New CA')
  })
})
