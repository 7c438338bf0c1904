/** Owns how the events of `provision watch` read in the log. */
import { formatDuration } from '../../core/duration.ts'
import { runbookOf } from '../../core/reason.ts'
import { reasons } from '../../core/reason-catalog.ts'
import { type LogLine, line } from './log-line.ts'
import type { ProvisionEvent } from './provision-events.ts'

const held = {
  'list-empty': 'the list of nodes is empty; nobody is removed while it is',
  'list-not-current': 'the list of nodes may be out of date; nobody is removed while it may be',
  'too-many-at-once':
    'more than half of all nodes are gone at once; they are removed after 24 times the grace period, or by provision apply --prune',
} as const

export function describeProvision(event: ProvisionEvent, nowMs: number): LogLine | undefined {
  switch (event.type) {
    case 'provision-source-reached': {
      const { source, nodes } = event
      return line('info', `${nodes} nodes, told by ${source}`, { source, nodes })
    }
    case 'provision-source-failed':
      return failure('the nodes cannot be told', event, nowMs)
    case 'provision-identity': {
      const { user, isFirst } = event
      return line('info', `etcd: ${isFirst ? 'connecting' : 'connected again with the new certificate'} as ${user}`, {
        user,
      })
    }
    case 'provision-identity-refused':
      return failure('the new certificate for etcd is not used yet', event, nowMs)
    case 'provision-node-departed': {
      const { node, graceMs } = event
      return line('info', `the node ${node} is gone; its users stay for ${formatDuration(graceMs)}`, { node })
    }
    case 'provision-node-back':
      return line('info', `the node ${event.node} is back and keeps its users`, { node: event.node })
    case 'provision-node-removed':
      return line('info', `the node ${event.node} stayed away; its users are removed`, { node: event.node })
    case 'provision-change': {
      const { subject, what, why } = event.text
      return line('info', `${subject}: ${what} (${why})`, { change: event.kind, subject })
    }
    case 'provision-note':
      return line('warn', event.text, {})
    case 'provision-held': {
      const { why, nodes } = event
      return line('warn', `the users of ${nodes} nodes are kept: ${held[why]}`, { reason: why, nodes })
    }
    case 'provision-done': {
      const { isFull, changes, nodes, pending } = event
      const seconds = formatSeconds(event.durationMs)
      const what = changes === 0 ? 'in step' : `${changes} changes`
      const level = changes === 0 ? 'debug' : 'info'
      return line(level, `etcd: ${what}, ${nodes} nodes with users, in ${seconds}`, { isFull, changes, nodes, pending })
    }
    case 'provision-failed':
      return failure('etcd could not be brought in step', event, nowMs)
    case 'provision-nodes':
    case 'provision-heartbeat':
      return undefined
  }
}

function failure(
  what: string,
  event: Extract<ProvisionEvent, { reason: keyof typeof reasons }> & { retryAtMs?: number | undefined },
  nowMs: number,
): LogLine {
  const { reason, detail, retryAtMs } = event
  const { summary, advice } = reasons[reason]
  const retry = retryAtMs === undefined ? '' : `; next try in ${formatSeconds(Math.max(0, retryAtMs - nowMs))}`
  return line('warn', `${what}: ${summary}${retry}. ${advice}`, {
    reason,
    error: detail,
    runbook: runbookOf(reason),
  })
}

function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)}s`
}
