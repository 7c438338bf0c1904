/** Owns the checks of the way to Vault, from its name to its seal and its clock. */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { formatDuration } from '../../../core/duration.ts'
import { AgentError } from '../../../core/errors.ts'
import { field } from '../../../core/json.ts'
import { describeName } from '../../../pki/certificate.ts'
import { createVaultCalls, type VaultCalls } from '../../../vault/client.ts'
import { translateConnectionError } from '../../../vault/failure.ts'
import { proxyFor } from '../../../vault/proxy.ts'
import { readTlsMaterial } from '../../../vault/tls-files.ts'
import { createTransport, type Transport } from '../../../vault/transport.ts'
import { type Check, failure, ok, type Verdict, verdictOf, warning } from '../check.ts'
import { readServerView, type ServerView } from '../tls-view.ts'

export const vaultName: Check = {
  id: 'vault-name',
  where: 'vault',
  title: 'host name of Vault',
  run: ({ vault }) => {
    const { origins, timeoutMs, proxies } = vault().address
    return atEach(origins, async (origin) => {
      if (origin.startsWith('unix:')) return ok(`${origin} is a socket of this machine`)
      const proxy = proxies && proxyFor(origin, proxies)
      if (proxy !== undefined) return ok(`the proxy ${proxy.origin} resolves it`)
      const host = new URL(origin).hostname.replace(/^\[|\]$/g, '')
      if (isIP(host) !== 0) return ok(`${host} is an address`)
      try {
        const addresses = await lookup(host, { all: true })
        return ok(`${host} is ${addresses.map(({ address }) => address).join(', ')}`)
      } catch (error) {
        throw translateConnectionError(error, origin, timeoutMs)
      }
    })
  },
}

export const vaultTls: Check = {
  id: 'vault-tls',
  where: 'vault',
  title: 'TLS to Vault',
  needs: ['vault-files', 'vault-name'],
  run: ({ vault, clock }) => {
    const { address } = vault()
    return atEach(address.origins, async (origin) => {
      if (!origin.startsWith('https:')) return ok(`${origin} has no TLS, as configured`)
      const view = await readServerView(origin, readTlsMaterial(address), address.timeoutMs, address.proxies)
      return judgeServer(view, clock.now())
    })
  },
}

/** The verdict of each address. The agent is content with one of them; an operator wants to know of the others. */
async function atEach(origins: readonly string[], check: (origin: string) => Promise<Verdict>): Promise<Verdict> {
  const verdictAt = (origin: string) => check(origin).catch((error: unknown) => verdictOf(error))
  return joinVerdicts(await Promise.all(origins.map(async (origin) => ({ origin, verdict: await verdictAt(origin) }))))
}

export function joinVerdicts(all: readonly { readonly origin: string; readonly verdict: Verdict }[]): Verdict {
  const verdicts = all.map(({ verdict }) => verdict)
  const [only] = verdicts
  if (verdicts.length === 1 && only !== undefined) return only
  const saw = all.map(({ origin, verdict }) => `${origin}: ${verdict.saw}`).join('\n')
  const worst =
    verdicts.find(({ status }) => status === 'failure') ?? verdicts.find(({ status }) => status === 'warning')
  if (worst === undefined) return ok(saw)
  const isUsable = verdicts.some(({ status }) => status !== 'failure')
  return { ...worst, saw, status: isUsable ? 'warning' : 'failure' }
}

/** What is left of a server's certificate below which somebody should look at its renewal. Fraction of its lifetime. */
const lateFraction = 0.1

export function judgeServer({ protocol, chain, failure: error }: ServerView, nowMs: number): Verdict {
  const shown = chain.map((each) => `${describeName(each.subject)}, issued by ${describeName(each.issuer)}`)
  if (error !== undefined) {
    return failure([error.message, ...shown.map((each) => `presented: ${each}`)].join('\n'), error.code)
  }
  const [leaf] = chain
  if (leaf === undefined) return ok(protocol)
  const notAfterMs = leaf.validToDate.getTime()
  const leftMs = notAfterMs - nowMs
  const saw = `${protocol}; ${shown[0]}; valid for ${formatDuration(leftMs)}`
  if (leftMs > (notAfterMs - leaf.validFromDate.getTime()) * lateFraction) return ok(saw)
  return warning(
    saw,
    "Renew the certificate of Vault's listener: when it ends, no agent gets a certificate.",
    'vault-tls',
  )
}

/** The root namespace alone answers these. */
const callsOf = (transport: Transport): VaultCalls => createVaultCalls(transport, undefined)

const sealPath = 'sys/seal-status'

export const vaultState: Check = {
  id: 'vault-state',
  where: 'vault',
  title: 'state of Vault',
  needs: ['vault-tls'],
  run: async ({ vault, clock, skew }) => {
    const { address } = vault()
    const clusters = new Set<string>()
    const verdict = await atEach(address.origins, async (origin) => {
      const transport = createTransport({ address: { ...address, origins: [origin] }, clock, skew, emit: () => {} })
      const status = readSealStatus(await callsOf(transport).get('health', sealPath))
      if (status.clusterId !== undefined) clusters.add(status.clusterId)
      return judgeSeal(status)
    })
    if (clusters.size < 2) return verdict
    return failure(
      verdict.saw,
      'vault-bad-answer',
      'VAULT_ADDR names different Vaults: let it name the nodes of one cluster.',
    )
  },
}

interface SealStatus {
  readonly initialized: boolean
  readonly sealed: boolean
  readonly version: string
  readonly cluster: string | undefined
  readonly clusterId: string | undefined
}

/** A sealed Vault answers it, too. */
function readSealStatus(body: unknown): SealStatus {
  const [initialized, sealed] = [field(body, 'initialized'), field(body, 'sealed')]
  const textOf = (name: string): string | undefined => {
    const value = field(body, name)
    return typeof value === 'string' ? value : undefined
  }
  if (typeof sealed !== 'boolean' || typeof initialized !== 'boolean') {
    throw new AgentError('vault-bad-answer', `${sealPath}: sealed is not a boolean`)
  }
  return {
    initialized,
    sealed,
    version: textOf('version') ?? 'unknown',
    cluster: textOf('cluster_name'),
    clusterId: textOf('cluster_id'),
  }
}

export function judgeSeal({ initialized, sealed, version, cluster }: SealStatus): Verdict {
  const saw = `version ${version}${cluster === undefined ? '' : `, ${cluster}`}`
  if (!initialized) return failure(`${saw}: not initialized`, 'vault-sealed', 'Initialize Vault (vault operator init).')
  return sealed ? failure(`${saw}: sealed`, 'vault-sealed') : ok(saw)
}

export const clock: Check = {
  id: 'clock',
  where: 'vault',
  title: 'clocks of this machine and of Vault',
  needs: ['vault-state'],
  run: async ({ vault, skew }) => {
    const { transport } = vault()
    // Not the Date header: that is the clock of whatever stands before Vault, and the agent does not go by it either.
    const path = 'sys/health?standbyok=true&perfstandbyok=true'
    const tell = skew.asking()
    const seconds = field(await callsOf(transport).get('health', path), 'server_time_utc')
    if (typeof seconds !== 'number')
      throw new AgentError('vault-bad-answer', `${path}: server_time_utc is not a number`)
    // Whole seconds.
    tell({ earliestMs: seconds * 1000, latestMs: seconds * 1000 + 1000 })
    return judgeSkew(skew.measured())
  },
}

/** Below this nobody needs to act. */
const unnoticedMs = 3000
/** Vault's default not_before_duration: beyond it a certificate is not yet valid for whoever checks it by the earlier clock. */
const backdatingMs = 30_000

export function judgeSkew(skewMs: number | undefined): Verdict {
  if (skewMs === undefined) return warning('Vault does not tell its time', 'Look at server_time_utc in sys/health.')
  const saw = `Vault's clock is ${formatDuration(Math.abs(skewMs))} ${skewMs < 0 ? 'behind' : 'ahead'}`
  const advice =
    'Synchronize both clocks (NTP). The agent accepts what one of them accepts; etcd and Calico judge by their own.'
  if (Math.abs(skewMs) < unnoticedMs) return ok('less than 3 s apart')
  if (Math.abs(skewMs) < backdatingMs) return warning(saw, advice, 'not-yet-valid')
  return failure(saw, 'not-yet-valid', advice)
}
