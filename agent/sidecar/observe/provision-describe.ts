/** Owns how the events of `provision watch` read in the log. */
import { formatDuration } from '../../core/duration.ts'
import { plural } from '../../core/text.ts'
import type { EventOf, ProvisionEvent } from './events.ts'
import { failureLine, type LineTable, line } from './log-line.ts'

const held: Readonly<Record<EventOf<'provision-held'>['why'], string>> = {
  'list-empty': 'the list of nodes is empty; nobody is removed while it is',
  'list-not-current': 'the list of nodes may be out of date; nobody is removed until it is current',
  'too-many-at-once':
    'more than half of all nodes are gone at once; their users are removed after 24 times the grace period, or by provision apply --prune',
}

export const provisionLines: LineTable<ProvisionEvent['type']> = {
  'provision-source-reached': ({ source, nodes }) =>
    line('info', `${plural(nodes, 'node')} listed by ${source}`, { source, nodes }),
  'provision-source-failed': (event, nowMs) =>
    failureLine('warn', 'cannot list the nodes', event, nextTry(event.retryAtMs, nowMs)),
  'provision-identity': ({ user, isFirst }) =>
    line('info', `etcd: ${isFirst ? 'connecting' : 'connected again with the new certificate'} as ${user}`, { user }),
  'provision-identity-refused': (event) => failureLine('warn', 'the new certificate for etcd is not used yet', event),
  'provision-node-departed': ({ node, graceMs }) =>
    line('info', `node ${node} is gone; its users stay for ${formatDuration(graceMs)}`, { node }),
  'provision-node-back': ({ node }) => line('info', `node ${node} is back and keeps its users`, { node }),
  'provision-node-removed': ({ node }) => line('info', `node ${node} stayed away; its users are removed`, { node }),
  'provision-change': ({ kind, text: { subject, what, why } }) =>
    line('info', `${subject}: ${what} (${why})`, { change: kind, subject }),
  'provision-note': ({ text }) => line('warn', text, {}),
  'provision-held': ({ why, nodes }) =>
    line('warn', `the users of ${plural(nodes, 'node')} are kept: ${held[why]}`, { reason: why, nodes }),
  'provision-done': ({ isFull, changes, nodes, pending, durationMs }) => {
    const what = changes === 0 ? 'in step' : plural(changes, 'change')
    const message = `etcd: ${what}, ${plural(nodes, 'node')} with users, in ${formatSeconds(durationMs)}`
    return line(changes === 0 ? 'debug' : 'info', message, { isFull, changes, nodes, pending })
  },
  'provision-failed': (event, nowMs) =>
    failureLine('warn', 'etcd could not be brought in step', event, nextTry(event.retryAtMs, nowMs)),
  'provision-nodes': undefined,
  'provision-heartbeat': undefined,
}

function nextTry(retryAtMs: number | undefined, nowMs: number): string | undefined {
  return retryAtMs === undefined ? undefined : `next try in ${formatSeconds(Math.max(0, retryAtMs - nowMs))}`
}

function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)}s`
}
