/** The real API server takes every object of every overlay (server-side apply, dry run, unknown fields refused), and pods of them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { locateServer } from '../servers/locate.ts'
import { type JsonResponse, requestJson } from '../support/https-json.ts'
import { createServiceAccount } from '../support/kube-objects.ts'
import { type KubeApiserver, startKubeApiserver } from '../support/real-kube-apiserver.ts'
import { cases, type Own, objectsOf } from './cases.ts'
import { kustomize } from './kustomize.ts'
import { agentsOf, allContainers, type PodSpec, pathOf, workloadsOf } from './objects.ts'

const apiserver = [locateServer('etcd'), locateServer('kube-apiserver')].find((program) => 'missing' in program)
const missing = [kustomize, apiserver].flatMap((program) => (program && 'missing' in program ? [program.missing] : []))
const leftOut = missing.length === 0 ? '' : ` (left out: ${missing.join('; ')})`
const apiToken = '/var/run/secrets/kubernetes.io/serviceaccount'

describe.skipIf(leftOut !== '')(`real kube-apiserver${leftOut}`, () => {
  let kube: KubeApiserver
  beforeAll(async () => {
    kube = await startKubeApiserver()
    const accounts = ['calico-node', 'calico-kube-controllers', 'calico-provisioner', 'calicoctl']
    for (const account of accounts) await createServiceAccount(kube, 'kube-system', account)
  }, 120_000)
  afterAll(() => kube?.stop())

  // PodMonitor is no type of the API server's own but the Prometheus operator's.
  const takenOf = (way: Own) => objectsOf(way).filter(({ kind }) => kind !== 'PodMonitor')

  /** Most objects are the same in many ways: each is asked about once. */
  const answered = new Map<string, Promise<JsonResponse>>()
  const send = (method: string, path: string, body: object, contentType: string): Promise<JsonResponse> => {
    const what = `${method} ${path} ${JSON.stringify(body)}`
    const answer = answered.get(what) ?? ask(method, path, body, contentType)
    answered.set(what, answer)
    return answer
  }
  const ask = (method: string, path: string, body: object, contentType: string): Promise<JsonResponse> =>
    requestJson({
      url: `${kube.url}${path}${path.includes('?') ? '&' : '?'}dryRun=All&fieldValidation=Strict`,
      method,
      body,
      headers: { 'content-type': contentType },
      ca: kube.caPem,
      cert: kube.adminCertificatePem,
      key: kube.adminKeyPem,
    })

  it.each(cases)('takes %s', async (_name, way) => {
    const answers = await Promise.all(
      takenOf(way).map(async (object) => {
        const path = `${pathOf(object)}?fieldManager=manifests&force=true`
        // JSON is YAML.
        const { status, body } = await send('PATCH', path, object, 'application/apply-patch+yaml')
        return { what: `${object.kind} ${object.metadata.name}`, status, ...(status > 201 && { body }) }
      }),
    )
    expect(answers.length).toBeGreaterThan(10)
    expect(answers.filter(({ status }) => status !== 200 && status !== 201)).toEqual([])
  })

  it.each(cases)(
    '%s: in a pod, no agent but the provisioner holds a token for the Kubernetes API',
    async (_name, way) => {
      for (const { name, template } of workloadsOf(takenOf(way))) {
        const pod = {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: `${name}-x`, labels: template.metadata?.labels },
          spec: podSpec(name, template.spec),
        }
        const { status, body } = await send('POST', '/api/v1/namespaces/kube-system/pods', pod, 'application/json')
        expect({ status, ...(status !== 201 && { body }) }).toEqual({ status: 201 })
        const { spec } = body as { spec: PodSpec }
        const tokens = allContainers(spec).map((container) => {
          const mount = container.volumeMounts?.find(({ mountPath }) => mountPath === apiToken)
          const isAgent = agentsOf(spec).includes(container)
          return [container.name, isAgent ? mount?.name : undefined]
        })
        for (const [container, volume] of tokens.filter(([each]) => each?.startsWith('calico-vault-agent'))) {
          expect([container, volume]).toEqual([container, name === 'calicoctl' ? undefined : 'vault-token'])
        }
        if (name === 'calico-node') {
          const calico = allContainers(spec).find((container) => container.name === 'calico-node')
          expect(calico?.volumeMounts?.find(({ mountPath }) => mountPath === apiToken)?.name).toMatch(
            /^kube-api-access-/,
          )
        }
      }
    },
  )
})

/** A Job's pods are restarted by the Job. */
function podSpec(name: string, spec: PodSpec): PodSpec {
  return name === 'calicoctl' ? Object.assign({}, spec, { restartPolicy: 'Never' }) : spec
}
