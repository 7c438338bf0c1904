/** Owns what stands in one target's directory: reads it, judges it, replaces it through the gate, and tells of it. */
import type { X509Certificate } from 'node:crypto'
import type { Clock, SaneClocks } from '../clock.ts'
import { AgentError } from '../errors.ts'
import type { Admit } from '../gate/admission.ts'
import { minLifetimeFor } from '../gate/checks.ts'
import { judge, requirePass } from '../gate/gate.ts'
import type { Listener, PublishedCertificate } from '../observe/events.ts'
import { type Bundle, createBundle, isSameBundle } from '../pki/bundle.ts'
import { isSameCaSet, type LiveCertificate, planCaSet, workingTime } from '../pki/ca-set.ts'
import { type Validity, validityOf } from '../pki/certificate.ts'
import type { ReasonCode } from '../reasons.ts'
import type { TargetDir } from '../store/target-dir.ts'
import { createCaHistory } from './ca-history.ts'
import type { Planner } from './planner.ts'
import type { RenewalPlan } from './schedule.ts'
import { createSpares, type SparesOptions, tellUnusableCa } from './spares.ts'

export interface PublisherOptions {
  readonly component: string
  /** @throws AgentError where the name depends on a credential that cannot be read */
  readonly commonName: () => string
  readonly directory: TargetDir
  /** The node-local cache. */
  readonly state: SparesOptions['state']
  /** A static Secret. */
  readonly bootstrap: SparesOptions['bootstrap']
  readonly plan: Planner
  /** Undefined: whoever makes the certificates decides. */
  readonly ttlSeconds: number | undefined
  readonly clock: Clock
  /** The corrected time (vault/skew.ts). */
  readonly now: () => number
  readonly clocks: () => SaneClocks
  /** CA certificates of etcd's servers, read when they are needed. @throws AgentError */
  readonly etcdCa: () => readonly X509Certificate[]
  /** The last step of the gate; undefined where etcd is not asked. */
  readonly admit: Admit | undefined
  readonly emit: Listener
}

export interface Published {
  readonly bundle: Bundle
  /** When it works (pki/ca-set.ts). */
  readonly validity: Validity
  readonly plan: RenewalPlan
}

export interface Publisher {
  /** What stands in the directory and has passed the gate. */
  readonly published: () => Published | undefined
  /** Looks at the directory: takes over what is good, repairs what is known. Answers why a new certificate is needed, if so. */
  inspect(): Promise<ReasonCode | undefined>
  /** Publishes a new certificate. @throws AgentError; what was published is kept */
  publish(
    parts: Omit<Bundle, 'text' | 'ca'> & { issuers: readonly X509Certificate[] },
    reason: ReasonCode,
  ): Promise<void>
  /** When a certificate that was obtained at this moment is to be renewed. */
  renewAtMs(leaf: X509Certificate, issuedAtMs: number): number
  /** Brings `etcd-ca` in step with the issuers, or with etcd's own CA alone where they are not known. @throws AgentError */
  refreshCa(issuers: readonly X509Certificate[] | undefined): Promise<void>
  /** Asks etcd again, now and then, about what was published although etcd had not accepted it. */
  prove(): Promise<void>
  /** Takes the cached or the static certificate, when nothing better can be had. Answers whether one was there. */
  restore(): Promise<boolean>
}

const unreadable: ReadonlySet<ReasonCode> = new Set(['malformed', 'directory-denied', 'directory-failed'])

/** Whether a user was added or etcd is back is known this soon. */
const proveAgainMs = 300_000

export function createPublisher(options: PublisherOptions): Publisher {
  const { component, commonName, directory, plan, clock, now, clocks, etcdCa, admit, emit } = options
  const spares = createSpares(options)
  let published: Published | undefined
  const caHistory = createCaHistory()
  /** Whether CA certificates stand in the directory that nobody can use; what was taken over is without them. */
  let isLittered = false
  /** When etcd was last asked in vain about what is in place, by the monotonic clock. */
  let unprovenAt: number | undefined

  const judged = (inUse: readonly LiveCertificate[]) => ({
    nowMs: now(),
    clocks: clocks(),
    commonName: commonName(),
    minLifetimeMs: minLifetimeFor(options.ttlSeconds),
    live: inUse,
  })

  /** A configured file that is broken must not stand in the way of a renewal: what is published holds etcd's CA as well. */
  function knownEtcdCa(): readonly X509Certificate[] {
    try {
      return etcdCa()
    } catch (error) {
      if (!(error instanceof AgentError) || published === undefined) throw error
      emit({ type: 'ca-refresh-failed', component, reason: error.code, detail: error.message })
      return published.bundle.ca
    }
  }

  /** What may be in use: the published certificate and the one before it. */
  function live(): LiveCertificate[] {
    const previous = directory.previous()
    return [published?.bundle, previous].filter((bundle) => bundle !== undefined)
  }

  /** @param issuedAtMs undefined where it is not known; a certificate that was planned before keeps its plan */
  function adopt(bundle: Bundle, issuedAtMs?: number): PublishedCertificate {
    const isSameLeaf = published?.bundle.leaf.fingerprint256 === bundle.leaf.fingerprint256
    const validity = workingTime(bundle, now())
    const renewal = isSameLeaf && published !== undefined ? published.plan : planFor(validity, issuedAtMs)
    published = { bundle, validity, plan: renewal }
    return {
      serialNumber: bundle.leaf.serialNumber,
      ...validity,
      renewAtMs: renewal.renewAtMs,
      ca: caHistory(bundle.ca, live(), now(), directory.writtenAtMs() ?? clock.now()),
    }
  }

  function planFor(validity: Validity, issuedAtMs?: number): RenewalPlan {
    return plan(validity, issuedAtMs ?? validity.notBeforeMs)
  }

  const isNotDue = (bundle: Bundle): boolean => planFor(workingTime(bundle, now())).renewAtMs > now()

  async function put(bundle: Bundle, reason: ReasonCode, issuedAtMs?: number): Promise<void> {
    await directory.claim()
    const startedAt = clock.monotonic()
    directory.publish(bundle.text, new Date(clock.now()))
    const certificate = adopt(bundle, issuedAtMs)
    emit({ type: 'published', component, reason, durationMs: clock.monotonic() - startedAt, certificate })
  }

  /** Why the directory's content cannot be used; undefined when it could be taken over. */
  function takeOver(): ReasonCode | undefined {
    let found: Bundle | undefined
    try {
      found = directory.current()
    } catch (error) {
      // What cannot be read is of no use to anybody: it is replaced like a broken one.
      if (error instanceof AgentError && unreadable.has(error.code)) return error.code
      throw error
    }
    isLittered = tellUnusableCa(options, found)
    if (found === undefined) return 'never-published'
    if (published !== undefined && isSameBundle(found, published.bundle)) return undefined
    // However little is left, what stands there works.
    const code = judge(found, judged([]), ['lifetime-too-short'])?.code
    // What was published once has begun, whatever a slow clock says after a start: only a new one may take its place.
    if (code !== undefined && (code !== 'not-yet-valid' || published !== undefined)) return code
    const isOlder =
      published !== undefined && validityOf(found.leaf).notAfterMs < validityOf(published.bundle.leaf).notAfterMs
    if (isOlder) return 'files-changed'
    emit({ type: 'found', component, certificate: adopt(found) })
    return code
  }

  /**
   * The bundle that etcd admits. A new CA set that etcd's server is not verified with any more must not stop the rotation: the
   * set in place is added to it.
   * @param withCa the bundle with etcd's own CA certificates among the others
   */
  async function admitted(
    subject: 'certificate' | 'ca-set',
    withCa: (etcdCa: readonly X509Certificate[]) => Bundle,
  ): Promise<Bundle> {
    const own = knownEtcdCa()
    const planned = withCa(own)
    const replaced = published?.bundle
    if (admit === undefined || planned === replaced) return planned
    try {
      await ask(planned, subject)
      return planned
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== 'etcd-untrusted-server' || replaced === undefined)
        throw error
      const joined = withCa([...own, ...replaced.ca])
      if (joined === replaced || isSameCaSet(joined.ca, planned.ca)) throw error
      await ask(joined, subject)
      emit({ type: 'ca-refresh-failed', component, reason: error.code, detail: error.message })
      return joined
    }
  }

  async function ask(bundle: Bundle, subject: Parameters<Admit>[1]): Promise<void> {
    const isProven = await admit?.(bundle, subject, published?.validity)
    unprovenAt = isProven === false ? clock.monotonic() : undefined
  }

  return {
    published: () => published,
    renewAtMs: (leaf, issuedAtMs) => planFor(validityOf(leaf), issuedAtMs).renewAtMs,
    async inspect() {
      const before = published
      const problem = takeOver()
      if (problem === 'not-yet-valid' && published !== before) return problem
      if (problem === undefined) {
        if (published === undefined) return undefined
        if (isLittered) await put(published.bundle, 'ca-set-changed')
        else if (!directory.hasAttributes()) await put(published.bundle, 'attributes-changed')
        return undefined
      }
      if (published !== undefined && judge(published.bundle, judged([]), ['lifetime-too-short']) === undefined) {
        await put(published.bundle, 'files-changed')
        return undefined
      }
      published = undefined
      const cached = await spares.find('state', judged([]), [], isNotDue)
      if (cached === undefined) return problem
      await put(cached, 'restored-from-state')
      return undefined
    },
    async publish({ issuers, ...parts }, reason) {
      const inUse = live()
      const bundle = await admitted('certificate', (etcdCertificates) => {
        const candidate = createBundle({ ...parts, ca: planCaSet(issuers, etcdCertificates, inUse, now()) })
        requirePass(candidate, judged(inUse))
        return candidate
      })
      await put(bundle, reason, now())
      spares.save(bundle)
    },
    async refreshCa(issuers) {
      if (published === undefined) return
      const { bundle } = published
      const inUse = live()
      const refreshed = await admitted('ca-set', (etcdCertificates) => {
        const ca = planCaSet(issuers ?? bundle.ca, etcdCertificates, inUse, now())
        if (isSameCaSet(ca, bundle.ca)) return bundle
        const candidate = createBundle({ ...bundle, ca })
        requirePass(candidate, judged(inUse), ['lifetime-too-short'])
        return candidate
      })
      if (refreshed === bundle) return
      await put(refreshed, 'ca-set-changed')
      spares.save(refreshed)
    },
    async prove() {
      if (published === undefined || unprovenAt === undefined) return
      if (clock.monotonic() >= unprovenAt + proveAgainMs) await ask(published.bundle, 'in-place')
    },
    async restore() {
      const cached = await spares.find('state', judged([]), ['lifetime-too-short'])
      // A static Secret has another name and another issuer; it starts the node, and is replaced as soon as Vault answers.
      const restored = cached ?? (await spares.find('bootstrap', judged([]), ['lifetime-too-short', 'wrong-name']))
      if (restored === undefined) return false
      await put(restored, cached === undefined ? 'restored-from-bootstrap' : 'restored-from-state')
      return true
    },
  }
}
