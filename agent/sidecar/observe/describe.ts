/** Owns how events read: level, message and fields of the log line. Never a secret: events hold none. */
import { formatDuration } from '../../core/duration.ts'
import { type ReasonCode, reasons } from '../../core/reason-catalog.ts'
import type { AgentEvent, EventOf, EventType, PublishedCertificate } from './events.ts'
import { failureFields, failureLine, iso, type Level, type LineTable, type LogLine, line } from './log-line.ts'
import { provisionLines } from './provision-describe.ts'

/** The line for an event; undefined if an operator needs none. */
export function describe(event: AgentEvent, nowMs: number): LogLine | undefined {
  return lines[event.type]?.(event as never, nowMs)
}

const lines: LineTable<EventType> = {
  ...provisionLines,
  started: ({ version, node, authMethod, targets }) =>
    line('info', `calico-vault-agent ${version} on ${node}`, { version, node, authMethod, targets }),
  listening: ({ address }) => line('info', `health and metrics on ${address}`, { address }),
  'listen-failed': ({ detail }) =>
    line('error', `cannot serve health and metrics: ${detail}; trying again. Free the port, or set AGENT_LISTEN`, {
      error: detail,
    }),
  'long-name': ({ component, node, commonName, length }) =>
    line(
      'warn',
      `the common name has ${length} bytes, and X.520 allows 64; Vault and etcd accept it, strict TLS libraries may not (see {node_uid})`,
      { component, node, commonName, length },
    ),
  'vault-request': ({ operation, outcome, durationMs }) =>
    line('debug', `vault ${operation}: ${outcome}`, { operation, outcome, durationMs: rounded(durationMs) }),
  'vault-address': ({ address, instead }) => {
    if (instead.length === 0) return line('info', `Vault answers at ${address}`, { address })
    const failures = instead.map(({ reason, detail }) => `${detail} (${reason})`)
    return line('warn', `Vault answers at ${address}, not at the address used before`, { address, failures })
  },
  login: ({ method, mount, expiresAtMs }) =>
    line('debug', `logged in to Vault by ${method}`, { method, mount, tokenExpires: iso(expiresAtMs) }),
  token: ({ expiresAtMs }) => line('debug', 'the Vault token is valid', { tokenExpires: iso(expiresAtMs) }),
  issued: ({ component, serialNumber, keyReused, reason }) =>
    line('info', `${component}: certificate issued (${reason})`, { component, serialNumber, keyReused, reason }),
  found: ({ component, certificate }, nowMs) =>
    line('info', `${component}: the certificate in place is good; ${next(certificate, nowMs)}`, {
      component,
      ...certificateFields(certificate),
    }),
  published: ({ component, reason, durationMs, certificate }, nowMs) =>
    line('info', `${component}: published (${reasons[reason].summary}); ${next(certificate, nowMs)}`, {
      component,
      reason,
      durationMs: rounded(durationMs),
      ...certificateFields(certificate),
    }),
  'renewal-failed': describeRenewalFailed,
  probed: describeProbed,
  recovered: ({ component }) => line('info', `${component}: works again`, { component }),
  'ca-refresh-failed': (event) => failureLine('warn', `${event.component}: ${caProblem(event.reason)}`, event),
  'fallback-failed': (event) =>
    failureLine('warn', `${event.component}: the cached or static certificate cannot be used`, event),
  'store-flaw': (event) => failureLine('warn', event.component, event),
  'host-copied': ({ component, path, written, serialNumber, notAfterMs }) =>
    line('info', `${component}: the CNI plugin's copy in ${path} ${written ? 'was updated' : 'is up to date'}`, {
      component,
      path,
      serialNumber,
      notAfter: iso(notAfterMs),
    }),
  'host-copy-failed': (event) => {
    const { component, path, reason, retryAtMs, repeated } = event
    // At the first start of every node, install-cni has not run yet.
    const level = repeated ? 'debug' : reason === 'host-copy-absent' ? 'info' : 'warn'
    const subject = `${component}: the CNI plugin's copy is not up to date`
    return failureLine(level, subject, event, 'trying again', { path, retryAt: iso(retryAtMs) })
  },
  'on-publish-done': ({ component, action, durationMs, output }) =>
    line('info', `${component}: AGENT_ON_PUBLISH has told the consumers (${action})`, {
      component,
      action,
      durationMs: rounded(durationMs),
      ...(output !== '' && { output }),
    }),
  'on-publish-failed': (event, nowMs) => {
    const { component, action, retryAtMs, repeated } = event
    const rest = `the certificate is published anyway; ${nextTry(retryAtMs, nowMs)}`
    return failureLine(repeated ? 'debug' : 'warn', component, event, rest, { action, retryAt: iso(retryAtMs) })
  },
  'watch-failed': ({ detail }) =>
    line(
      'warn',
      `cannot watch files: ${detail}; they are still checked every 30 s. Raise fs.inotify.max_user_watches and max_user_instances on the node`,
      { error: detail },
    ),
  stopped: ({ signal }) => line('info', `stopped by ${signal}`, { signal }),
  'clock-skew': undefined,
  state: undefined,
  credential: undefined,
  heartbeat: undefined,
}

function describeRenewalFailed(event: EventOf<'renewal-failed'>, nowMs: number): LogLine {
  const { component, reason, retryAtMs, notAfterMs, lifetimeMs } = event
  const runwayMs = (notAfterMs ?? 0) - nowMs
  const kept =
    notAfterMs === undefined
      ? 'no certificate is published'
      : runwayMs > 0
        ? `the published certificate is kept, valid for ${formatDuration(runwayMs)}`
        : `the published certificate EXPIRED ${formatDuration(-runwayMs)} ago`
  const level = levelOf(reason, runwayMs, lifetimeMs ?? 0)
  const fields = { retryAt: iso(retryAtMs), notAfter: iso(notAfterMs) }
  return failureLine(level, component, event, `${kept}; ${nextTry(retryAtMs, nowMs)}`, fields)
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
  if (about === 'gate') return 'the new CA set is not published as it is'
  const isVault = about === 'vault' || about === 'auth'
  return `could not check ${isVault ? 'Vault' : 'the source'} for CA changes`
}

function describeProbed({ component, outcome, detail, verdict, ...event }: EventOf<'probed'>): LogLine {
  const durationMs = rounded(event.durationMs)
  if (outcome === 'accepted') {
    return line('debug', `${component}: etcd accepts the certificate`, { component, outcome, detail, durationMs })
  }
  const failed = { component, reason: outcome, detail }
  if (verdict === 'unverified') return failureLine('warn', component, failed, 'published anyway', { durationMs })
  const message = `${component}: ${reasons[outcome].summary}`
  return line('debug', message, { ...failureFields(failed), durationMs })
}

function next({ notAfterMs, renewAtMs }: PublishedCertificate, nowMs: number): string {
  return `valid for ${formatDuration(notAfterMs - nowMs)}, renewal in ${formatDuration(Math.max(0, renewAtMs - nowMs))}`
}

function nextTry(retryAtMs: number, nowMs: number): string {
  return `next try in ${formatDuration(Math.max(0, retryAtMs - nowMs))}`
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

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100
}
