/** Owns asking and telling a cluster by kubectl itself, as its users do. */
import { spawn } from 'node:child_process'
import type { KubeApiserver } from '../support/real-kube-apiserver.ts'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** What is looked at here of an object. */
export interface KubeObject {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly generation?: number
    readonly creationTimestamp: string
    readonly deletionTimestamp?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec: { readonly nodeName?: string }
  readonly status: {
    readonly phase?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
    readonly containerStatuses?: readonly ContainerStatus[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
  }
}

export interface ContainerStatus {
  readonly name: string
  readonly ready: boolean
  readonly started?: boolean
  readonly restartCount: number
  readonly containerID?: string
  readonly state: {
    readonly running?: { readonly startedAt: string }
    readonly terminated?: {
      readonly exitCode: number
      readonly reason?: string
      readonly startedAt: string
      readonly finishedAt: string
    }
  }
  readonly lastState: { readonly terminated?: { readonly exitCode: number; readonly reason?: string } }
}

export interface Kubectl {
  /** In kube-system. Rejects when it fails. */
  run(...args: string[]): Promise<string>
  /** Every end is an answer. */
  try(...args: string[]): Promise<Ended>
  apply(objects: string): Promise<string>
  get(name: string): Promise<KubeObject>
  list(kind: string, ...args: string[]): Promise<readonly KubeObject[]>
}

export function createKubectl(program: string, kubeconfig: string): Kubectl {
  const always = ['kubectl', '--kubeconfig', kubeconfig, '--namespace', 'kube-system']
  const attempt = (args: readonly string[], input?: string): Promise<Ended> =>
    start(program, [...always, ...args], input)
  const succeed = async (args: readonly string[], input?: string): Promise<string> => {
    const { code, stdout, stderr } = await attempt(args, input)
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`)
    return stdout
  }
  return {
    run: (...args) => succeed(args),
    try: (...args) => attempt(args),
    apply: (objects) => succeed(['apply', '-f', '-'], objects),
    get: async (name) => JSON.parse(await succeed(['get', name, '-o', 'json'])) as KubeObject,
    list: async (kind, ...args) =>
      (JSON.parse(await succeed(['get', kind, '-o', 'json', ...args])) as { items: KubeObject[] }).items,
  }
}

export function kubeconfigOf({ url, caPem }: Pick<KubeApiserver, 'url' | 'caPem'>, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'e2e', cluster: { server: url, 'certificate-authority-data': Buffer.from(caPem).toString('base64') } },
    ],
    users: [{ name: 'e2e', user: { token } }],
    contexts: [{ name: 'e2e', context: { cluster: 'e2e', user: 'e2e' } }],
    'current-context': 'e2e',
  })
}

function start(program: string, args: readonly string[], input = ''): Promise<Ended> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const texts = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => (texts[name] += chunk.toString()))
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...texts }))
  })
}
