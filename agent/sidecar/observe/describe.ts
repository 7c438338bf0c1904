/** Owns how events read: level, message and fields of the log line. Never a secret: events hold none. */
import { isoTime } from '../../core/clock.ts'
import { formatDuration } from '../../core/duration.ts'
import { runbookOf } from '../../core/reason.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import type { AgentEvent, PublishedCertificate } from './events.ts'
import { type Level, type LogLine, line } from './log-line.ts'
import { describeProvision } from './provision-describe.ts'
import { isProvisionEvent } from './provision-events.ts'

/** The line for an event; undefined if an operator needs none. */
export function describe(event: AgentEvent, nowMs: number): LogLine | undefined {
  if (isProvisionEvent(event)) return describeProvision(event, nowMs)
  switch (event.type) {
    case 'started': {
      const { version, node, authMethod, targets } = event
      return line('info', `calico-vault-agent ${version} on ${node}`, { version, node, authMethod, targets })
    }
    case 'listening':
      return line('info', `health and metrics on ${event.address}`, { address: event.address })
    case 'listen-failed':
      return line(
        'error',
        `cannot serve health and metrics: ${event.detail}; trying again. Free the port, or set AGENT_LISTEN`,
        {
          error: event.detail,
        },
      )
    case 'long-name': {
      const { component, node, commonName, length } = event
      const message = `the common name has ${length} bytes, and X.520 allows 64; Vault and etcd accept it, strict TLS libraries may not (see {node_uid})`
      return line('warn', message, { component, node, commonName, length })
    }
    case 'vault-request': {
      const { operation, outcome, durationMs } = event
      return line('debug', `vault ${operation}: ${outcome}`, { operation, outcome, durationMs: rounded(durationMs) })
    }
    case 'vault-address': {
      const { address, instead } = event
      if (instead.length === 0) return line('info', `Vault answers at ${address}`, { address })
      const failures = instead.map(({ reason, detail }) => `${detail} (${reason})`)
      return line('warn', `Vault answers at ${address}, not at the address used before`, { address, failures })
    }
    case 'login': {
      const { method, mount, expiresAtMs } = event
      return line('debug', `logged in to Vault by ${method}`, { method, mount, tokenExpires: iso(expiresAtMs) })
    }
    case 'token':
      return line('debug', 'the Vault token is valid', { tokenExpires: iso(event.expiresAtMs) })
    case 'issued': {
      const { component, serialNumber, keyReused, reason } = event
      return line('info', `${component}: certificate issued (${reason})`, {
        component,
        serialNumber,
        keyReused,
        reason,
      })
    }
    case 'found': {
      const { component, certificate } = event
      const message = `${component}: the certificate in place is good; ${next(certificate, nowMs)}`
      return line('info', message, { component, ...certificateFields(certificate) })
    }
    case 'published': {
      const { component, reason, durationMs, certificate } = event
      const message = `${component}: published (${reasons[reason].summary}); ${next(certificate, nowMs)}`
      return line('info', message, {
        component,
        reason,
        durationMs: rounded(durationMs),
        ...certificateFields(certificate),
      })
    }
    case 'renewal-failed':
      return describeRenewalFailed(event, nowMs)
    case 'probed':
      return describeProbed(event)
    case 'recovered':
      return line('info', `${event.component}: works again`, { component: event.component })
    case 'ca-refresh-failed':
      return failure('warn', `${event.component}: ${caProblem(event.reason)}`, event)
    case 'fallback-failed':
      return failure('warn', `${event.component}: the cached or static certificate cannot be used`, event)
    case 'store-flaw':
      return failure('warn', event.component, event)
    case 'host-copied': {
      const { component, path, written, serialNumber, notAfterMs } = event
      const message = `${component}: the CNI plugin's copy in ${path} ${written ? 'was updated' : 'is up to date'}`
      return line('info', message, { component, path, serialNumber, notAfter: iso(notAfterMs) })
    }
    case 'host-copy-failed':
      return describeHostCopyFailed(event)
    case 'on-publish-done': {
      const { component, action, durationMs, output } = event
      const message = `${component}: AGENT_ON_PUBLISH has told the consumers (${action})`
      const said = output === '' ? {} : { output }
      return line('info', message, { component, action, durationMs: rounded(durationMs), ...said })
    }
    case 'on-publish-failed': {
      const { component, action, reason, retryAtMs, repeated } = event
      const { summary, advice } = reasons[reason]
      const retry = `next try in ${formatDuration(Math.max(0, retryAtMs - nowMs))}`
      const message = `${component}: ${summary}; the certificate is published anyway; ${retry}. ${advice}`
      const fields = { ...failureFields(event), action, retryAt: iso(retryAtMs) }
      return line(repeated ? 'debug' : 'warn', message, fields)
    }
    case 'watch-failed':
      return line(
        'warn',
        `cannot watch files: ${event.detail}; they are still checked every 30 s. Raise fs.inotify.max_user_watches and max_user_instances on the node`,
        {
          error: event.detail,
        },
      )
    case 'stopped':
      return line('info', `stopped by ${event.signal}`, { signal: event.signal })
    case 'clock-skew':
    case 'state':
    case 'credential':
    case 'heartbeat':
      return undefined
  }
}

function describeRenewalFailed(event: Extract<AgentEvent, { type: 'renewal-failed' }>, nowMs: number): LogLine {
  const { component, reason, retryAtMs, notAfterMs } = event
  const runwayMs = (notAfterMs ?? 0) - nowMs
  const kept =
    notAfterMs === undefined
      ? 'no certificate is published'
      : runwayMs > 0
        ? `the published certificate is kept, valid for ${formatDuration(runwayMs)}`
        : `the published certificate EXPIRED ${formatDuration(-runwayMs)} ago`
  const { summary, advice } = reasons[reason]
  const retry = `next try in ${formatDuration(Math.max(0, retryAtMs - nowMs))}`
  return line(
    levelOf(reason, runwayMs, event.lifetimeMs ?? 0),
    `${component}: ${summary}; ${kept}; ${retry}. ${advice}`,
    { ...failureFields(event), retryAt: iso(retryAtMs), notAfter: iso(notAfterMs) },
  )
}

/**
 * A failure is as serious as the certificate in place has little time left; ten minutes are what a person needs to act. An outage
 * that has time mostly passes by itself. What somebody must mend is a warning from the first moment on.
 */
function levelOf(reason: ReasonCode, runwayMs: number, lifetimeMs: number): Level {
  const hasTime = runwayMs >= lifetimeMs / 3 && runwayMs > 0
  if (hasTime) return reasons[reason].retry === 'outage' ? 'info' : 'warn'
  return runwayMs < Math.max(lifetimeMs / 10, 600_000) ? 'error' : 'warn'
}

function caProblem(reason: ReasonCode): string {
  const { about } = reasons[reason]
  const isVault = about === 'vault' || about === 'auth'
  return about === 'gate'
    ? 'the new CA set is not published as it is'
    : isVault
      ? 'could not check Vault for CA changes'
      : 'could not check the source for CA changes'
}

function describeProbed(event: Extract<AgentEvent, { type: 'probed' }>): LogLine {
  const { component, outcome, detail, verdict } = event
  const durationMs = rounded(event.durationMs)
  if (outcome === 'accepted') {
    return line('debug', `${component}: etcd accepts the certificate`, { component, outcome, detail, durationMs })
  }
  const { summary, advice } = reasons[outcome]
  const fields = { ...failureFields({ component, reason: outcome, detail }), durationMs }
  if (verdict !== 'unverified') return line('debug', `${component}: ${summary}`, fields)
  return line('warn', `${component}: ${summary}; published anyway. ${advice}`, fields)
}

function describeHostCopyFailed(event: Extract<AgentEvent, { type: 'host-copy-failed' }>): LogLine {
  const { component, path, reason, retryAtMs, repeated } = event
  const { summary, advice } = reasons[reason]
  // At the first start of every node, install-cni has not run yet.
  const level = repeated ? 'debug' : reason === 'host-copy-absent' ? 'info' : 'warn'
  const message = `${component}: the CNI plugin's copy is not up to date: ${summary}; trying again. ${advice}`
  return line(level, message, { ...failureFields(event), path, retryAt: iso(retryAtMs) })
}

interface Failed {
  readonly component: string
  readonly reason: ReasonCode
  readonly detail: string
}

function failure(level: Level, message: string, event: Failed): LogLine {
  const { summary, advice } = reasons[event.reason]
  return line(level, `${message}: ${summary}. ${advice}`, failureFields(event))
}

function failureFields({ component, reason, detail }: Failed) {
  return { component, reason, error: detail, runbook: runbookOf(reason) }
}

function next({ notAfterMs, renewAtMs }: PublishedCertificate, nowMs: number): string {
  return `valid for ${formatDuration(notAfterMs - nowMs)}, renewal in ${formatDuration(Math.max(0, renewAtMs - nowMs))}`
}

function certificateFields({ serialNumber, notBeforeMs, notAfterMs, renewAtMs, ca }: PublishedCertificate) {
  return {
    serialNumber,
    notBefore: iso(notBeforeMs),
    notAfter: iso(notAfterMs),
    renewAt: iso(renewAtMs),
    caCount: ca.count,
    ca: ca.certificates.map(({ fingerprint, subject }) => `${fingerprint} ${subject}`),
  }
}

function iso(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : isoTime(ms)
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100
}
