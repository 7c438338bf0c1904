/** Owns asking what the agents say, of themselves or of a Prometheus, and finding who says nothing. */

import { Client } from 'undici'
import { AgentError, messageOf } from '../../core/errors.ts'
import { field, parseJson } from '../../core/json.ts'
import type { Secret } from '../../core/secret.ts'
import { oneLine } from '../../core/text.ts'
import { forEach } from '../engine/pool.ts'
import { neededMetrics, parseSamples, type Sample, viewOf } from './samples.ts'
import type { AgentsState, AgentView, Silent } from './state.ts'

export interface Expected {
  /** Each must have an agent that answers. */
  readonly nodes: readonly string[]
  /** At least so many agents must answer. */
  readonly count: number
  /** Who may be left out if they say nothing. */
  readonly without: readonly string[]
}

export type Found = Pick<AgentsState, 'agents' | 'silent'>

export type ReadAgents = () => Promise<Found>

const answerMs = 10_000
/** A page of metrics is a few kilobytes; that of a Prometheus a few for each agent. */
const largestBytes = 64 * 1024 * 1024

/** @param addresses URLs of the agents' metrics */
export function askAgents(addresses: readonly string[]): ReadAgents {
  return async () => {
    const answers = new Map<string, AgentView | Silent>()
    await forEach(addresses, {}, async (where) => {
      answers.set(where, await askAgent(where))
    })
    // In the order of the addresses, whoever answered first.
    const all = addresses.flatMap((where) => answers.get(where) ?? [])
    return { agents: all.filter((each) => 'targets' in each), silent: all.filter((each) => 'why' in each) }
  }
}

async function askAgent(where: string): Promise<AgentView | Silent> {
  try {
    const view = viewOf(where, parseSamples(await get(new URL('/metrics', where))))
    return view ?? { name: where, why: 'what answers there is no agent' }
  } catch (error) {
    return { name: where, why: reasonOf(error) }
  }
}

interface PrometheusAddress {
  readonly url: string
  readonly token: Secret | undefined
  /** Label matchers that tell this cluster's agents from those of others. */
  readonly selector: string
}

/** Instances that have not been scraped for some minutes are not in its answer: who is expected must be known otherwise. */
export function askPrometheus(address: PrometheusAddress): ReadAgents {
  const { selector } = address
  const matchers = selector === '' ? '' : `,${selector}`
  return async () => {
    const samples = await query(address, `{__name__=~"${neededMetrics}"${matchers}}`)
    const containers = await query(address, 'kube_pod_container_state_started')
    const keyOf = ({ namespace, pod }: Sample['labels'], container = ''): string => `${namespace}/${pod}/${container}`
    const inPods = containers.filter(({ labels }) => labels['pod'] !== undefined)
    const startedAtMs = new Map(inPods.map(({ labels, value }) => [keyOf(labels, labels['container']), value * 1000]))
    const agents = Map.groupBy(samples, ({ labels }) => `${labels['job']}\n${labels['instance']}`)
    const views = [...agents.values()].map((own) => {
      const labels = own[0]?.labels ?? {}
      return viewOf(labels['instance'] ?? '', own, (component) => startedAtMs.get(keyOf(labels, component)))
    })
    return { agents: views.filter((view) => view !== undefined), silent: [] }
  }
}

export function accountFor({ agents, silent }: Found, { nodes, count, without }: Expected): AgentsState {
  const isNamed = (name: string, each: string): boolean => name === each || hostOf(name) === each
  const all = [...silent, ...missingOf(nodes, agents)]
  const isAccepted = ({ name }: Silent): boolean => without.some((each) => isNamed(name, each))
  const open = all.filter((each) => !isAccepted(each))
  // One that answers after all does not stand in for one that is silent.
  const gone = without.filter((each) => !agents.some(({ node, where }) => node === each || isNamed(where, each)))
  const answering = countApart(agents)
  const few = answering + gone.length < count
  return {
    agents,
    silent: few ? [...open, { name: `one of ${count} agents`, why: `only ${answering} answer` }] : open,
    without: all.filter(isAccepted),
  }
}

/** A node may have more agents than one: what most nodes have, each must have. */
function missingOf(nodes: readonly string[], agents: readonly AgentView[]): Silent[] {
  const found = new Map<string, Set<string>>(agents.map(({ node }) => [node ?? '', new Set()]))
  for (const { node, targets } of agents) for (const { component } of targets) found.get(node ?? '')?.add(component)
  const all = nodes.flatMap((node) => [...(found.get(node) ?? [])])
  const common = [...Map.groupBy(all, (component) => component)].flatMap(([component, { length }]) =>
    length > nodes.length / 2 ? [component] : [],
  )
  return nodes.flatMap((name): Silent[] => {
    const own = found.get(name)
    if (own === undefined) return [{ name, why: 'no agent says that it is there' }]
    const lacking = common.filter((component) => !own.has(component))
    return lacking.length === 0 ? [] : [{ name, why: `no agent of ${lacking.join(', ')} says that it is there` }]
  })
}

/** One that is scraped twice, or was replaced a moment ago, is one. */
function countApart(agents: readonly AgentView[]): number {
  const identities = agents.map(({ node, where, targets }) =>
    JSON.stringify([node ?? where, ...targets.map(({ component }) => component)]),
  )
  return new Set(identities).size
}

/** As an address was given. */
function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).host : undefined
}

async function query({ url, token }: PrometheusAddress, text: string): Promise<Sample[]> {
  const where = new URL(`${url.replace(/\/$/, '')}/api/v1/query?${new URLSearchParams({ query: text }).toString()}`)
  let answer: unknown
  try {
    answer = parseJson(await get(where, token))
  } catch (error) {
    throw new AgentError('prometheus-failed', `${url}: ${reasonOf(error)}`, { cause: error })
  }
  const result = field(field(answer, 'data'), 'result')
  if (!Array.isArray(result)) {
    const why = field(answer, 'error')
    throw new AgentError('prometheus-failed', `${url}: ${typeof why === 'string' ? why : 'no answer of a Prometheus'}`)
  }
  return result.flatMap((each) => {
    const labels = field(each, 'metric') as Sample['labels']
    const pair = field(each, 'value')
    return Array.isArray(pair) ? { name: labels['__name__'] ?? '', labels, value: Number(pair[1]) } : []
  })
}

/** Not by fetch, which refuses some ports. No redirect is followed. */
async function get(url: URL, token?: Secret): Promise<string> {
  const client = new Client(url.origin, {
    allowH2: false,
    connect: { timeout: answerMs, minVersion: 'TLSv1.2', rejectUnauthorized: true },
  })
  try {
    const { statusCode, body } = await client.request({
      method: 'GET',
      path: url.pathname + url.search,
      headers: token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` },
      signal: AbortSignal.timeout(answerMs),
    })
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of body as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > largestBytes) throw new Error(`the answer has more than ${largestBytes} bytes`)
      chunks.push(chunk)
    }
    const text = Buffer.concat(chunks).toString('utf8')
    if (statusCode !== 200) throw new Error(`status ${statusCode}: ${oneLine(text, 200)}`)
    return text
  } finally {
    await client.destroy()
  }
}

function reasonOf(error: unknown): string {
  return oneLine(messageOf(error), 300)
}
