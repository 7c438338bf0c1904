/** Owns one development Vault in another process, set up as recommended, with a token file for each node. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface DevVaultProcessOptions {
  /** Default: node1 and node2. */
  readonly nodes?: readonly string[]
  /** Of certificates, as a Go duration. Default: 24h. */
  readonly ttl?: string
  /** Default: 30s. */
  readonly notBeforeDuration?: string
}

export interface DevVaultProcess {
  readonly address: string
  readonly caFile: string
  readonly rootToken: string
  readonly unsealKey: string
  /** The service-account token of calico-node on this node. */
  tokenFile(node: string): string
  /** Requests since it was set up. */
  requestCount(): Promise<number>
  stop(): Promise<void>
}

export async function startDevVaultProcess(options: DevVaultProcessOptions = {}): Promise<DevVaultProcess> {
  const { nodes = ['node1', 'node2'], ttl = '24h', notBeforeDuration = '30s' } = options
  const directory = await mkdtemp(join(tmpdir(), 'dev-vault-process-'))
  const main = join(import.meta.dirname, 'main.ts')
  const flags = ['--recommended', '--jwt-dir', directory, '--nodes', nodes.join(','), '--ttl', ttl]
  const child = spawn(process.execPath, [main, ...flags, '--not-before-duration', notBeforeDuration], {
    // Its standard input ends with this process: it leaves no orphan.
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.on('error', () => {})
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const nextLine = async (): Promise<unknown> => {
    const line = await lines.next()
    if (line.done === true) throw new Error('the development Vault has ended')
    return JSON.parse(line.value) as unknown
  }
  const ready = (await nextLine()) as Pick<DevVaultProcess, 'address' | 'caFile' | 'rootToken' | 'unsealKey'>
  return {
    ...ready,
    tokenFile: (node) => join(directory, `${node}.jwt`),
    async requestCount() {
      child.stdin.write('requests\n')
      const { requests } = (await nextLine()) as { requests: number }
      return requests
    },
    async stop() {
      child.stdin.end()
      await gone
      await rm(directory, { recursive: true, force: true })
    },
  }
}
