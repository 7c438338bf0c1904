/**
 * Owns the next step of a CA rotation: from what Vault holds and what the agents say to one change, or to what it waits for, or
 * to why it must not go on. Pure, and without a memory: whoever asks again later, from elsewhere, gets the same answer.
 * To take a rotation back is to rotate to the old issuer.
 */
import { isoTime } from '../../core/clock.ts'
import { formatDuration } from '../../core/duration.ts'
import { suggestName } from '../../core/text.ts'
import type { Plan } from '../engine/bring-in-step.ts'
import { dayOf, isCalled, listed, nameOf, titleOf, whoOf } from './describe.ts'
import { findStaleConsumers, hasEverywhere, hasValidEverywhere, needsAny, usesOf } from './needs.ts'
import type { AgentsState, AgentView, Change, Intent, Issuer, Rotation, VaultState } from './state.ts'

/** An issuer that ends sooner was hardly meant. */
const shortMs = 365 * 86_400_000

type Draft = Pick<Rotation, 'step'> & Partial<Plan<Change>>

/** @param ownNowMs by the clock of whoever asks */
export function planRotation(vault: VaultState, agents: AgentsState, intent: Intent, ownNowMs: number): Rotation {
  const nowMs = carefulNow(agents, ownNowMs)
  const { step, phases = [], refusals = [], notes = [], waitsFor } = draftOf(vault, agents, intent, nowMs)
  const silent = silences(agents)
  const all = [...refusals, ...silent]
  const plan = {
    // Nothing is changed while somebody is unaccounted for.
    phases: all.length > 0 ? [] : phases,
    refusals: all,
    notes: [...notes, ...agents.without.map(({ name, why }) => `${name} is left out: ${why}`)],
    waitsFor,
  }
  return { step, plan, isSilenceAll: refusals.length === 0 && silent.length > 0 }
}

/** A clock that is ahead must not end certificates. So the earlier counts: the asker's clock, or the latest of the agents' clocks. */
function carefulNow({ agents }: AgentsState, ownNowMs: number): number {
  const heard = agents.flatMap(({ heardAtMs }) => heardAtMs ?? [])
  return heard.length === 0 ? ownNowMs : Math.min(ownNowMs, Math.max(...heard))
}

function draftOf(vault: VaultState, { agents }: AgentsState, intent: Intent, nowMs: number): Draft {
  const wanted = findIssuer(vault, intent.issuer)
  if (wanted === undefined) return planMake(vault, intent)
  const keeps = new Set([wanted.id, ...wanted.above])
  const wrong = intent.retire.filter((each) => keeps.has(findIssuer(vault, each)?.id ?? ''))
  if (wrong.length > 0) {
    const refusals = [`${wrong.join(', ')} cannot be retired: ${titleOf(wanted)} is to sign, or is signed by it`]
    return { step: 'switch', refusals }
  }
  const given = { vault, agents, intent, wanted, nowMs }
  if (vault.defaultId !== wanted.id) return planSwitch(given)
  const others = vault.issuers.filter(({ id }) => !keeps.has(id))
  return planRetirement(given, others)
}

function planMake({ mount, issuers, ...vault }: VaultState, { issuer, make }: Intent): Draft {
  const refuse = (why: string): Draft => ({ step: 'make', refusals: [why] })
  if (make === undefined) {
    const known = issuers.map(nameOf)
    const meant = suggestName(issuer, known)
    const hint = meant === undefined ? `there are ${known.join(', ') || 'none'}` : `did you mean ${meant}?`
    return refuse(`${mount}/ has no issuer ${issuer} (${hint}); with --common-name it is made as a root CA`)
  }
  if (make.ttlSeconds > vault.maxTtlSeconds) {
    const most = formatDuration(vault.maxTtlSeconds * 1000)
    return refuse(
      `${mount}/ makes no CA that lives longer than ${most}; raise it (vault secrets tune -max-lease-ttl=${make.ttlSeconds}s ${mount}/), or give a shorter --ttl`,
    )
  }
  if (vault.defaultId === undefined) {
    return refuse(
      `${mount}/ has no default issuer, so there is nothing to rotate from: the first issuer that is made there becomes the default`,
    )
  }
  if (vault.followsLatest) {
    return refuse(
      `${mount}/ makes every new issuer the default at once, before anybody trusts it; switch that off: vault write ${mount}/config/issuers default=${vault.defaultId} default_follows_latest_issuer=false`,
    )
  }
  return { step: 'make', phases: [[{ do: 'make', mount, name: issuer, root: make }]] }
}

/** What is known once the wanted issuer is there. */
interface Given {
  readonly vault: VaultState
  readonly agents: readonly AgentView[]
  readonly intent: Intent
  readonly wanted: Issuer
  readonly nowMs: number
}

function planSwitch({ vault, agents, intent, wanted, nowMs }: Given): Draft {
  const { mount } = vault
  const why = whyNotSigning(wanted, mount, nowMs)
  if (why !== undefined) return { step: 'switch', refusals: [why] }
  const leftMs = wanted.notAfterMs - nowMs
  const notes =
    leftMs < shortMs ? [`${titleOf(wanted)} ends on ${dayOf(wanted.notAfterMs)}, in ${formatDuration(leftMs)}`] : []
  const waiting = agents.filter((agent) => !hasEverywhere(agent, wanted))
  if (waiting.length > 0) {
    return { step: 'spread', waitsFor: someOf(agents, waiting, `to publish ${titleOf(wanted)}`), notes }
  }
  notes.push(...pinnedNotes(vault, wanted), ...staleNotes(agents))
  if (!intent.etcdTrustsNew) {
    const refusal = `etcd must trust ${titleOf(wanted)} before it signs: put its certificate (vault read -field=certificate ${mount}/issuer/${nameOf(wanted)}) into --trusted-ca-file beside the old one, restart the members one after the other, then say so with --etcd-trusts-new`
    return { step: 'switch', refusals: [refusal], notes }
  }
  const from = vault.issuers.find(({ id }) => id === vault.defaultId)
  return { step: 'switch', phases: [[{ do: 'switch', mount, from, to: wanted }]], notes }
}

/**
 * The wanted issuer signs.
 * @param others those that it does not need
 */
function planRetirement({ vault, agents, intent, wanted, nowMs }: Given, others: readonly Issuer[]): Draft {
  const { mount } = vault
  const { retire } = intent
  const named = others.filter((issuer) => retire.some((each) => isCalled(issuer, each)))
  const gone = retire.filter((each) => findIssuer(vault, each) === undefined)
  const notes = gone.map((each) => `${mount}/ has no issuer ${each}: it is retired already, or misspelled`)
  const old = retire.length === 0 ? others : named
  if (old.length === 0) return { step: 'done', notes: [...notes, ...leavingNotes(vault, agents)] }
  const back = others.map((issuer) => `--issuer ${nameOf(issuer)}`).join(' or ')
  // Then the old one is the way back, however few need it.
  const why = whyNotSigning(wanted, mount, nowMs)
  if (why !== undefined) return { step: 'renew', refusals: [`${why}; go back with ${back}`], notes }
  const refused = agents.filter(({ targets }) => targets.some(({ isRefusedByEtcd }) => isRefusedByEtcd))
  if (refused.length > 0) {
    const refusal = `etcd refuses certificates of ${listed(refused.map(whoOf))}: every member needs ${titleOf(wanted)} in --trusted-ca-file, and it passes with the next renewal (SIGHUP); or go back with ${back}`
    return { step: 'renew', refusals: [refusal], notes }
  }
  const waiting = agents.filter((agent) => !hasEverywhere(agent, wanted) || needsAny(agent, old, nowMs))
  if (waiting.length > 0) {
    const until = Math.max(
      ...waiting.flatMap(({ targets }) => usesOf(targets, old)).map(({ inUseUntilMs }) => inUseUntilMs),
    )
    const latest = until > nowMs ? `, at the latest at ${isoTime(until)}` : ''
    const what = `to be rid of certificates of ${old.map(titleOf).join(', ')}${latest}`
    return { step: 'renew', waitsFor: someOf(agents, waiting, what), notes }
  }
  const expired = agents.filter((agent) => !hasValidEverywhere(agent, nowMs))
  if (expired.length > 0) {
    return { step: 'renew', waitsFor: someOf(agents, expired, 'to have a certificate that is valid'), notes }
  }
  const pinned = vault.pinnedRoles.filter(({ issuerId }) => named.some(({ id }) => id === issuerId))
  if (pinned.length > 0) {
    const refusals = pinned.map(
      ({ role }) =>
        `the role ${role} names an issuer that is to be deleted; change it: vault patch ${mount}/roles/${role} issuer_ref=default`,
    )
    return { step: 'retire', refusals, notes }
  }
  if (named.length === 0) {
    const ways = others.map((issuer) => `--retire ${nameOf(issuer)}`).join(', ')
    const note = `no agent needs ${others.map(titleOf).join(', ')} any more; delete what nobody else needs either with ${ways}`
    return { step: 'retire', notes: [...notes, note] }
  }
  const note =
    "a deleted issuer cannot be taken back; certificates that no agent has, such as those of etcd's servers, are not known here"
  const phase = named.map((issuer) => ({ do: 'retire' as const, mount, issuer }))
  return { step: 'retire', phases: [phase], notes: [...notes, note] }
}

/** `2 of 3 agents to …: who`. */
function someOf(agents: readonly AgentView[], some: readonly AgentView[], what: string): string {
  return `${some.length} of ${agents.length} agents ${what}: ${listed(some.map(whoOf))}`
}

function findIssuer({ issuers }: VaultState, called: string): Issuer | undefined {
  return issuers.find((issuer) => isCalled(issuer, called))
}

function whyNotSigning(wanted: Issuer, mount: string, nowMs: number): string | undefined {
  if (wanted.notAfterMs <= nowMs) return `${titleOf(wanted)} ended on ${dayOf(wanted.notAfterMs)}`
  return wanted.canSign ? undefined : `${titleOf(wanted)} has no key in ${mount}/, or may not sign`
}

/** Nobody at all is silence as well. */
function silences({ agents, silent }: AgentsState): string[] {
  if (agents.length + silent.length === 0) return ['no agent is known']
  return silent.map(
    ({ name, why }) => `${name} is unaccounted for: ${why}; repair it, or leave it out by name: --without ${name}`,
  )
}

function pinnedNotes({ mount, pinnedRoles }: VaultState, wanted: Issuer): string[] {
  return pinnedRoles
    .filter(({ issuerId }) => issuerId !== wanted.id)
    .map(
      ({ role }) =>
        `the role ${role} names its issuer itself and does not follow; to change it: vault patch ${mount}/roles/${role} issuer_ref=default`,
    )
}

function staleNotes(agents: readonly AgentView[]): string[] {
  return findStaleConsumers(agents).map(
    ({ component, nodes, command = 'restart whatever reads its files' }) =>
      `${component} started before the new CA was there, on ${listed(nodes)}; if etcd's servers will have certificates of it too, first: ${command}`,
  )
}

/** What agents have and Vault does not list: the retired CA, or one of AGENT_ETCD_CA_FILE. */
function leavingNotes({ issuers }: VaultState, agents: readonly AgentView[]): string[] {
  const known = new Set(issuers.map(({ fingerprint }) => fingerprint))
  const others = agents.flatMap((agent) =>
    agent.targets.flatMap(({ ca }) => ca.filter(({ fingerprint }) => !known.has(fingerprint))),
  )
  return [...Map.groupBy(others, ({ fingerprint }) => fingerprint)].map(([fingerprint, [first]]) => {
    const who = agents.filter(({ targets }) =>
      targets.some(({ ca }) => ca.some((each) => each.fingerprint === fingerprint)),
    )
    return `${who.length} of ${agents.length} agents have the CA ${first?.subject ?? ''} (${fingerprint}), which Vault does not list: one of AGENT_ETCD_CA_FILE, or a retired one that leaves within the hour; take that out of --trusted-ca-file then`
  })
}
