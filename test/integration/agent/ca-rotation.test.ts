/**
 * Proves the rotation of the CA, step by step: a second issuer, the new one as the default, the old one deleted. etcd-ca must hold
 * at each step what certificates in use chain to, and the switch must cost nobody a certificate.
 */
import { X509Certificate } from 'node:crypto'
import { expect, it } from 'vitest'
import { type CaPhase, findCaPhase } from '../../../agent/pki/ca-phase.ts'
import { parseCertificates } from '../../../agent/pki/certificate.ts'
import { type AgentInProcess, startAgent } from '../../support/agent-in-process.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'
import { readText } from '../../support/vault-setup-auth.ts'
import { createTestNode, describeEachVault, type Lab } from './lab.ts'
import { readPublished } from './published.ts'

const hourMs = 3_600_000
const addedMetric = 'ca_added_timestamp_seconds{component="calico-node"}'
const changedMetric = 'ca_changed_since_start{component="calico-node"}'

interface Rotation {
  readonly agent: AgentInProcess
  readonly clock: FakeClock
  readonly directory: string
  /** By the name of the CA: whether a certificate in use needs it, as the metric says. */
  readonly uses: () => Promise<Readonly<Record<string, boolean>>>
  /** Serial number of the published certificate, the name of its issuer, and the names in etcd-ca. */
  readonly state: () => { serial: string; issuer: string; ca: readonly string[] }
  /** Lets the agent look at the issuers. */
  readonly lookAtIssuers: () => Promise<void>
  readonly renew: () => Promise<void>
}

async function startRotation(lab: Lab): Promise<Rotation> {
  const clock = createFakeClock()
  const { environment, directory } = createTestNode(lab)
  const agent = await startAgent(environment, { clock })
  await agent.nextEvent('published')
  return {
    agent,
    clock,
    directory,
    uses: async () => {
      const told = agent.events.findLast((event) => event.type === 'published')
      const samples = (told?.certificate.ca.certificates ?? []).map(async ({ fingerprint, subject }) => {
        const labels = `component="calico-node",fingerprint="${fingerprint}",subject="${subject}"`
        const until = await agent.metric(`ca_in_use_until_timestamp_seconds{${labels}}`)
        return [subject, (until ?? Number.NaN) * 1000 > clock.now()] as const
      })
      return Object.fromEntries(await Promise.all(samples))
    },
    state: () => {
      const { leaf, caNames } = readPublished(directory)
      return { serial: leaf.serialNumber, issuer: leaf.issuer.replace('CN=', ''), ca: caNames }
    },
    lookAtIssuers: async () => {
      await clock.nextSleep()
      await clock.pass(hourMs)
      await agent.nextEvent('vault-request', ({ operation }) => operation === 'issuers')
    },
    renew: async () => {
      agent.renewNow()
      await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
    },
  }
}

/** A root of its own name in the mount, which signs nothing yet. */
async function addIssuer({ api }: Lab, name: string): Promise<string> {
  const { body } = await api.root('POST', 'pki/root/rotate/internal', {
    common_name: name,
    issuer_name: name,
    key_type: 'ec',
    ttl: '8760h',
    // The set-up's root is backdated by 30 s: this one is the younger by its dates.
    not_before_duration: '1s',
  })
  return readText(body.data, 'issuer_id')
}

const useIssuer = async ({ api }: Lab, id: string): Promise<unknown> =>
  await api.root('POST', 'pki/config/issuers', { default: id })
const deleteIssuer = async ({ api }: Lab, id: string): Promise<unknown> => await api.root('DELETE', `pki/issuer/${id}`)

const keysOf = (data: Readonly<Record<string, unknown>> | undefined): string[] => (data?.['keys'] ?? []) as string[]

/** What `doctor` would say: from Vault's own lists and from the files. */
async function phaseOf({ api }: Lab, directory: string): Promise<CaPhase> {
  const { body: list } = await api.root('GET', 'pki/issuers?list=true')
  const { body: config } = await api.root('GET', 'pki/config/issuers')
  const read = async (id: string): Promise<X509Certificate> =>
    new X509Certificate(readText((await api.root('GET', `pki/issuer/${id}`)).body.data, 'certificate'))
  const { leaf, ca } = readPublished(directory)
  const view = {
    issuers: await Promise.all(keysOf(list.data).map(read)),
    defaultIssuer: await read(readText(config.data, 'default')),
    leaf,
    intermediates: [],
    ca: parseCertificates(ca),
    etcdCa: [],
  }
  return findCaPhase(view, Date.now()).phase
}

/** Every test begins with one issuer and leaves one of another name. */
describeEachVault('CA rotation', {}, (lab) => {
  let old = { name: 'Calico etcd clients', id: '' }
  const currentId = (): string => (old.id === '' ? lab().setup.rootIssuerId : old.id)

  it('old and new issuer overlap for as long as a certificate needs the old one', async () => {
    const { agent, directory, state, uses, lookAtIssuers, renew } = await startRotation(lab())
    const phase = async (): Promise<CaPhase> => await phaseOf(lab(), directory)
    const first = state()
    expect(first).toMatchObject({ issuer: old.name, ca: [old.name] })
    expect(await agent.metric(changedMetric)).toBe(0)
    expect([await phase(), await uses()]).toEqual(['steady', { [old.name]: true }])
    const addedAt = await agent.metric(addedMetric)

    const newId = await addIssuer(lab(), 'second')
    expect(await phase()).toBe('spreading')
    await lookAtIssuers()
    expect(agent.events.findLast(({ type }) => type === 'published')).toMatchObject({
      reason: 'ca-set-changed',
      certificate: { serialNumber: first.serial, ca: { count: 2, changedSinceStart: true } },
    })
    expect(state()).toEqual({ ...first, ca: [old.name, 'second'] })
    expect(await agent.metric(changedMetric)).toBe(1)
    expect(await agent.metric('ca_certificates{component="calico-node"}')).toBe(2)

    expect([await phase(), await uses()]).toEqual(['overlap', { [old.name]: true, second: false }])
    // Who started before this moment has not loaded the new CA.
    expect(await agent.metric(addedMetric)).toBeGreaterThan(addedAt ?? Number.NaN)

    await useIssuer(lab(), newId)
    expect(await phase()).toBe('switched')
    await renew()
    expect(state()).toMatchObject({ issuer: 'second', ca: [old.name, 'second'] })
    // The certificate before this one may still be in use.
    expect([await phase(), await uses()]).toEqual(['retiring', { [old.name]: true, second: true }])

    // Its CA stays although Vault has forgotten it.
    await deleteIssuer(lab(), currentId())
    await lookAtIssuers()
    expect(state()).toMatchObject({ issuer: 'second', ca: [old.name, 'second'] })
    expect(await phase()).toBe('leaving')

    await renew()
    await lookAtIssuers()
    expect(state()).toMatchObject({ issuer: 'second', ca: ['second'] })
    expect([await phase(), await uses()]).toEqual(['steady', { second: true }])
    expect(await agent.metric(changedMetric)).toBe(1)
    expect(agent.events.filter(({ type }) => type === 'renewal-failed' || type === 'ca-refresh-failed')).toEqual([])
    old = { name: 'second', id: newId }
  })

  it('a certificate whose issuer is deleted is renewed at once, and the old CA leaves with its last user', async () => {
    const { agent, state, lookAtIssuers, renew } = await startRotation(lab())
    const first = state()
    const newId = await addIssuer(lab(), 'third')
    await useIssuer(lab(), newId)
    await deleteIssuer(lab(), currentId())
    await lookAtIssuers()
    await agent.nextEvent('published', ({ reason }) => reason === 'issuer-removed')
    expect(state()).toMatchObject({ issuer: 'third', ca: [old.name, 'third'] })
    expect(state().serial).not.toBe(first.serial)
    await renew()
    await lookAtIssuers()
    expect(state()).toMatchObject({ issuer: 'third', ca: ['third'] })
    old = { name: 'third', id: newId }
  })

  it('back to the CA that the consumers have loaded: nothing has changed for them', async () => {
    const { agent, state, lookAtIssuers } = await startRotation(lab())
    const first = state()
    const id = await addIssuer(lab(), 'retracted')
    await lookAtIssuers()
    expect(await agent.metric(changedMetric)).toBe(1)
    await deleteIssuer(lab(), id)
    await lookAtIssuers()
    expect(state()).toEqual(first)
    expect(await agent.metric(changedMetric)).toBe(0)
  })

  it('a mount without any issuer costs nothing but the renewal', async () => {
    const { agent, clock, state } = await startRotation(lab())
    const first = state()
    await deleteIssuer(lab(), currentId())
    agent.renewNow()
    expect(await agent.nextEvent('renewal-failed')).toMatchObject({ reason: 'vault-not-found' })
    expect(agent.log.at(-1)?.message).toContain('A PKI mount without any issuer answers like this too.')
    expect(state()).toEqual(first)
    const id = await addIssuer(lab(), 'fourth')
    await useIssuer(lab(), id)
    await clock.nextSleep()
    clock.advance(10 * 60_000)
    await agent.nextEvent('published')
    expect(state()).toMatchObject({ issuer: 'fourth', ca: expect.arrayContaining([first.issuer, 'fourth']) as unknown })
    old = { name: 'fourth', id }
  })
})
