/**
 * Owns the next step of a CA rotation: from what Vault holds and what the agents say to one change, or to what it waits for, or
 * to why it must not go on. Pure, and without a memory: whoever asks again later, from elsewhere, gets the same answer.
 * To take a rotation back is to rotate to the old issuer.
 */
import { isoTime } from '../../core/clock.ts'
import { formatDuration } from '../../core/duration.ts'
import { suggestName } from '../../core/text.ts'
import type { Plan } from '../engine/bring-in-step.ts'
import { staleConsumers } from './consumers.ts'
import { listed, nameOf, titleOf, whoOf } from './describe.ts'
import type { AgentsState, AgentView, Change, Intent, Issuer, Rotation, Silent, VaultState } from './state.ts'

/** Clocks of nodes and of whoever asks may differ; a certificate counts for so long after its end. */
const clockMarginMs = 60_000
/** An issuer that ends sooner was hardly meant. */
const shortMs = 365 * 86_400_000

type Draft = Omit<Rotation, 'isSilenceAll' | 'plan'> & Partial<Plan<Change>>

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

function draftOf(vault: VaultState, agents: AgentsState, intent: Intent, nowMs: number): Draft {
  const wanted = findIssuer(vault, intent.issuer)
  if (wanted === undefined) return planMake(vault, intent)
  const keeps = new Set([wanted.id, ...wanted.above])
  const wrong = intent.retire.filter((each) => keeps.has(findIssuer(vault, each)?.id ?? ''))
  if (wrong.length > 0) {
    const refusals = [`${wrong.join(', ')} cannot be retired: ${titleOf(wanted)} is to sign, or is signed by it`]
    return { step: 'switch', refusals }
  }
  if (vault.defaultId !== wanted.id) return planSwitch(vault, agents, intent, wanted, nowMs)
  const others = vault.issuers.filter(({ id }) => !keeps.has(id))
  return planRetirement(vault, agents, intent, wanted, others, nowMs)
}

function planMake(vault: VaultState, { issuer, make }: Intent): Draft {
  const { mount, issuers, maxTtlSeconds } = vault
  if (make === undefined) {
    const known = issuers.map(nameOf)
    const meant = suggestName(issuer, known)
    const hint = meant === undefined ? `there are ${known.join(', ') || 'none'}` : `did you mean ${meant}?`
    const refusal = `${mount}/ has no issuer ${issuer} (${hint}); with --common-name it is made as a root CA`
    return { step: 'make', refusals: [refusal] }
  }
  if (make.ttlSeconds > maxTtlSeconds) {
    const most = formatDuration(maxTtlSeconds * 1000)
    const refusal = `${mount}/ makes no CA that lives longer than ${most}; raise it (vault secrets tune -max-lease-ttl=${make.ttlSeconds}s ${mount}/), or give a shorter --ttl`
    return { step: 'make', refusals: [refusal] }
  }
  if (vault.defaultId === undefined) {
    const refusal = `${mount}/ has no default issuer, so there is nothing to rotate from: the first issuer that is made there becomes the default`
    return { step: 'make', refusals: [refusal] }
  }
  if (vault.followsLatest) {
    const refusal = `${mount}/ makes every new issuer the default at once, before anybody trusts it; switch that off: vault write ${mount}/config/issuers default=${vault.defaultId} default_follows_latest_issuer=false`
    return { step: 'make', refusals: [refusal] }
  }
  return { step: 'make', phases: [[{ do: 'make', mount, name: issuer, root: make }]] }
}

function planSwitch(
  vault: VaultState,
  agents: AgentsState,
  { etcdTrustsNew }: Intent,
  wanted: Issuer,
  nowMs: number,
): Draft {
  const { mount } = vault
  const from = vault.issuers.find(({ id }) => id === vault.defaultId)
  const leftMs = wanted.notAfterMs - nowMs
  const why = whyNotSigning(wanted, mount, nowMs)
  if (why !== undefined) return { step: 'switch', refusals: [why] }
  const notes =
    leftMs < shortMs ? [`${titleOf(wanted)} ends on ${day(wanted.notAfterMs)}, in ${formatDuration(leftMs)}`] : []
  const waiting = agents.agents.filter((agent) => !hasEverywhere(agent, wanted))
  if (waiting.length > 0) {
    const who = `${waiting.length} of ${agents.agents.length} agents to publish ${titleOf(wanted)}: ${listed(waiting.map(whoOf))}`
    return { step: 'spread', waitsFor: who, notes }
  }
  notes.push(...pinnedNotes(vault, wanted), ...staleConsumers(agents.agents))
  if (!etcdTrustsNew) {
    const refusal = `etcd must trust ${titleOf(wanted)} before it signs: put its certificate (vault read -field=certificate ${mount}/issuer/${nameOf(wanted)}) into --trusted-ca-file beside the old one, restart the members one after the other, then say so with --etcd-trusts-new`
    return { step: 'switch', refusals: [refusal], notes }
  }
  return { step: 'switch', phases: [[{ do: 'switch', mount, from, to: wanted }]], notes }
}

/** The wanted issuer signs. */
function planRetirement(
  vault: VaultState,
  agents: AgentsState,
  { retire }: Intent,
  wanted: Issuer,
  others: readonly Issuer[],
  nowMs: number,
): Draft {
  const named = others.filter((issuer) => retire.some((each) => isCalled(issuer, each)))
  const gone = retire.filter((each) => findIssuer(vault, each) === undefined)
  const notes = gone.map((each) => `${vault.mount}/ has no issuer ${each}: it is retired already, or misspelled`)
  const old = retire.length === 0 ? others : named
  if (old.length === 0) return { step: 'done', notes: [...notes, ...leavingNotes(vault, agents)] }
  const back = others.map((issuer) => `--issuer ${nameOf(issuer)}`).join(' or ')
  // Then the old one is the way back, however few need it.
  const why = whyNotSigning(wanted, vault.mount, nowMs)
  if (why !== undefined) return { step: 'renew', refusals: [`${why}; go back with ${back}`], notes }
  const refused = agents.agents.filter(({ targets }) => targets.some(({ isRefusedByEtcd }) => isRefusedByEtcd))
  if (refused.length > 0) {
    const refusal = `etcd refuses certificates of ${listed(refused.map(whoOf))}: every member needs ${titleOf(wanted)} in --trusted-ca-file, and it passes with the next renewal (SIGHUP); or go back with ${back}`
    return { step: 'renew', refusals: [refusal], notes }
  }
  const waiting = agents.agents.filter((agent) => !hasEverywhere(agent, wanted) || needsAny(agent, old, nowMs))
  if (waiting.length > 0) {
    const until = Math.max(0, ...waiting.map((agent) => neededUntilMs(agent, old)))
    const latest = until > nowMs ? `, at the latest at ${isoTime(until)}` : ''
    const who = `${waiting.length} of ${agents.agents.length} agents to be rid of certificates of ${old.map(titleOf).join(', ')}${latest}: ${listed(waiting.map(whoOf))}`
    return { step: 'renew', waitsFor: who, notes }
  }
  const expired = agents.agents.filter((agent) => !hasValidEverywhere(agent, nowMs))
  if (expired.length > 0) {
    const who = `${expired.length} of ${agents.agents.length} agents to have a certificate that is valid: ${listed(expired.map(whoOf))}`
    return { step: 'renew', waitsFor: who, notes }
  }
  const pinned = vault.pinnedRoles.filter(({ issuerId }) => named.some(({ id }) => id === issuerId))
  if (pinned.length > 0) {
    const refusals = pinned.map(
      ({ role }) =>
        `the role ${role} names an issuer that is to be deleted; change it: vault patch ${vault.mount}/roles/${role} issuer_ref=default`,
    )
    return { step: 'retire', refusals, notes }
  }
  if (named.length === 0) {
    const ways = others.map((issuer) => `--retire ${nameOf(issuer)}`).join(', ')
    notes.push(
      `no agent needs ${others.map(titleOf).join(', ')} any more; delete what nobody else needs either with ${ways}`,
    )
    return { step: 'retire', notes }
  }
  notes.push(
    "a deleted issuer cannot be taken back; certificates that no agent has, such as those of etcd's servers, are not known here",
  )
  return {
    step: 'retire',
    phases: [named.map((issuer) => ({ do: 'retire' as const, mount: vault.mount, issuer }))],
    notes,
  }
}

export function findIssuer({ issuers }: VaultState, called: string): Issuer | undefined {
  return issuers.find((issuer) => isCalled(issuer, called))
}

function isCalled({ id, name }: Issuer, called: string): boolean {
  return called !== '' && (id === called || name === called)
}

function hasEverywhere({ targets }: AgentView, { fingerprint }: Issuer): boolean {
  return targets.length > 0 && targets.every(({ ca }) => ca.some((each) => each.fingerprint === fingerprint))
}

/** What has ended shows that nobody needs the old CA, and not that the new one serves. */
function hasValidEverywhere({ targets }: AgentView, nowMs: number): boolean {
  return targets.every(({ ca }) => ca.some(({ inUseUntilMs }) => inUseUntilMs > nowMs))
}

function whyNotSigning(wanted: Issuer, mount: string, nowMs: number): string | undefined {
  if (wanted.notAfterMs <= nowMs) return `${titleOf(wanted)} ended on ${day(wanted.notAfterMs)}`
  return wanted.canSign ? undefined : `${titleOf(wanted)} has no key in ${mount}/, or may not sign`
}

/** Whether a certificate that may be in use chains to one of them, or nobody can say so. */
export function needsAny({ targets }: AgentView, issuers: readonly Issuer[], nowMs: number): boolean {
  return targets.some(({ ca, caCount, isCopyInStep }) => {
    const found = ca.filter(({ fingerprint }) => issuers.some((each) => each.fingerprint === fingerprint))
    if (found.some(({ inUseUntilMs }) => inUseUntilMs > nowMs - clockMarginMs)) return true
    // Those that are not shown may be the ones; the CNI plugin's copy may be of any age.
    const shown = new Set(ca.map(({ fingerprint }) => fingerprint)).size
    return caCount === 0 || caCount > shown || (isCopyInStep === false && found.length > 0)
  })
}

function neededUntilMs({ targets }: AgentView, issuers: readonly Issuer[]): number {
  const uses = targets
    .flatMap(({ ca }) => ca)
    .filter(({ fingerprint }) => issuers.some((each) => each.fingerprint === fingerprint))
  return Math.max(0, ...uses.map(({ inUseUntilMs }) => inUseUntilMs))
}

/** Nobody at all is silence as well. */
function silences({ agents, silent }: AgentsState): string[] {
  const told = silent.map(
    ({ name, why }: Silent) =>
      `${name} is unaccounted for: ${why}; repair it, or leave it out by name: --without ${name}`,
  )
  return agents.length + silent.length === 0 ? ['no agent is known'] : told
}

function pinnedNotes({ mount, pinnedRoles }: VaultState, wanted: Issuer): string[] {
  return pinnedRoles
    .filter(({ issuerId }) => issuerId !== wanted.id)
    .map(
      ({ role }) =>
        `the role ${role} names its issuer itself and does not follow; to change it: vault patch ${mount}/roles/${role} issuer_ref=default`,
    )
}

/** What agents have and Vault does not list: the retired CA, or one of AGENT_ETCD_CA_FILE. */
function leavingNotes({ issuers }: VaultState, { agents }: AgentsState): string[] {
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

function day(ms: number): string {
  return isoTime(ms).slice(0, 10)
}
