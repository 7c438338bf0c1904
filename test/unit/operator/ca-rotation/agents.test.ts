/** Who answers, who does not, and who is missing: over real HTTP. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Secret } from '../../../../agent/core/secret.ts'
import { accountFor, askAgents, askPrometheus, type Expected } from '../../../../agent/operator/ca-rotation/agents.ts'
import type { AgentView } from '../../../../agent/operator/ca-rotation/state.ts'
import { serveMetrics } from '../../../support/metrics-server.ts'
import { agent, target } from './states.ts'

const page = (node: string): string =>
  `calico_vault_agent_node_info{node="${node}"} 1\ncalico_vault_agent_ca_changed_since_start{component="calico-node"} 0\n`

/** The requests that came, and the address. */
async function serve(answer: (response: ServerResponse, url: string, authorization: string) => void): Promise<string> {
  const server = createServer((request, response) =>
    answer(response, request.url ?? '', request.headers.authorization ?? ''),
  )
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('addresses', () => {
  it('tell of each why it is silent, in the given order', async () => {
    const good = await serveMetrics(async () => page('node1'))
    const down = await serveMetrics(async () => '')
    down.setDown(true)
    const other = await serveMetrics(async () => 'up 1\n')
    const redirecting = await serve((response) => response.writeHead(302, { location: `${good.url}/metrics` }).end())
    const cut = await serve((response) => response.writeHead(200, { 'content-length': 100 }).destroy())
    const closed = 'http://127.0.0.1:1'
    const { agents, silent } = await askAgents([closed, cut, redirecting, other.url, down.url, good.url])()
    expect(agents.map(({ where, node }) => [where, node])).toEqual([[good.url, 'node1']])
    expect(silent.map(({ name }) => name)).toEqual([closed, cut, redirecting, other.url, down.url])
    expect(silent.map(({ why }) => why)).toEqual([
      expect.stringContaining('ECONNREFUSED'),
      expect.any(String),
      'status 302:',
      'what answers there is no agent',
      'status 503: down',
    ])
  })
})

describe('Prometheus', () => {
  const sample = (name: string, labels: object, value: string) => ({
    metric: { __name__: name, ...labels },
    value: [1, value],
  })
  const labels = { job: 'calico', instance: '10.0.0.1:9879', namespace: 'kube-system', pod: 'calico-node-x' }
  const node = sample('calico_vault_agent_node_info', { ...labels, node: 'node1' }, '1')
  const component = sample('calico_vault_agent_ca_changed_since_start', { ...labels, component: 'calico-node' }, '1')
  const container = { namespace: 'kube-system', pod: 'calico-node-x', container: 'calico-node' }
  const started = sample('kube_pod_container_state_started', container, '1700000000')
  const answerOf = (result: readonly unknown[]): string => JSON.stringify({ status: 'success', data: { result } })

  it('is asked for one cluster, with the token, and tells when the containers started', async () => {
    const asked: (readonly [string, string])[] = []
    const url = await serve((response, path, authorization) => {
      const query = new URL(path, 'http://x').searchParams.get('query') ?? ''
      asked.push([query, authorization])
      response.end(answerOf(query.startsWith('kube') ? [started] : [node, component]))
    })
    const token = new Secret('t0ken')
    const { agents } = await askPrometheus({ url: `${url}/`, token, selector: 'cluster="prod"' })()
    expect(agents).toMatchObject([
      {
        where: '10.0.0.1:9879',
        node: 'node1',
        targets: [{ component: 'calico-node', changedSinceStart: true, consumerStartedAtMs: 1.7e12 }],
      },
    ])
    expect(asked.map(([query]) => query)).toEqual([
      expect.stringMatching(/^\{__name__=~"calico_vault_agent_.*",cluster="prod"\}$/),
      'kube_pod_container_state_started',
    ])
    expect(asked.every(([, authorization]) => authorization === 'Bearer t0ken')).toBe(true)
  })

  it.each([
    ['refuses', 401, 'no', 'status 401: no'],
    ['does not understand', 200, '{"status":"error","error":"parse error"}', 'parse error'],
    ['is something else', 200, '<html>', 'no answer of a Prometheus'],
  ])('that %s fails as a whole', async (_, status, body, why) => {
    const url = await serve((response) => response.writeHead(status).end(body))
    await expect(askPrometheus({ url, token: undefined, selector: '' })()).rejects.toMatchObject({
      code: 'prometheus-failed',
      message: expect.stringContaining(why) as string,
    })
  })
})

describe('who is missing', () => {
  const found = { agents: [agent('node1'), agent('node2')], silent: [{ name: 'http://10.0.0.3:9879', why: 'down' }] }
  const nobody = { nodes: [], count: 0, without: [] }
  const names = (expected: Partial<Expected>) => {
    const { silent, without } = accountFor(found, { ...nobody, ...expected })
    return [silent.map(({ name }) => name), without.map(({ name }) => name)]
  }

  it('is who does not answer, each expected node without an agent, and whoever makes up the number', () => {
    expect(names({})).toEqual([['http://10.0.0.3:9879'], []])
    expect(names({ nodes: ['node1', 'node4'] })).toEqual([['http://10.0.0.3:9879', 'node4'], []])
    expect(names({ count: 3, without: ['10.0.0.3:9879'] })).toEqual([[], ['http://10.0.0.3:9879']])
    expect(names({ count: 4, without: ['10.0.0.3:9879'] })).toEqual([['one of 4 agents'], ['http://10.0.0.3:9879']])
  })

  it('is left out by name alone', () => {
    expect(names({ nodes: ['node4', 'node5'], without: ['10.0.0.3:9879', 'node4'] })).toEqual([
      ['node5'],
      ['http://10.0.0.3:9879', 'node4'],
    ])
  })

  it('is not made up for by who is left out and answers, nor by who is scraped twice', () => {
    expect(names({ count: 4, without: ['10.0.0.3:9879', 'node1'] })[0]).toEqual(['one of 4 agents'])
    expect(names({ count: 4, without: ['10.0.0.3:9879', 'node2:9879'] })[0]).toEqual(['one of 4 agents'])
    const twice = { agents: [agent('node1'), { ...agent('node1'), where: 'job2' }], silent: [] }
    expect(accountFor(twice, { ...nobody, count: 2 }).silent).toEqual([
      { name: 'one of 2 agents', why: 'only 1 answer' },
    ])
  })

  it('is a node of which only another agent answers', () => {
    const controllers = agent('node3', target({}, { component: 'calico-kube-controllers' }))
    const onNode = (node: string) => agent(node, target({}))
    const nodes = ['node1', 'node2', 'node3']
    const silentOf = (...agents: AgentView[]) => accountFor({ agents, silent: [] }, { ...nobody, nodes }).silent
    expect(silentOf(onNode('node1'), onNode('node2'), controllers)).toEqual([
      { name: 'node3', why: 'no agent of calico-node says that it is there' },
    ])
    expect(silentOf(onNode('node1'), onNode('node2'), onNode('node3'), controllers)).toEqual([])
  })
})
