/** Owns the program that is measured: ours, or another one that writes the same three files (`--agent COMMAND`). */
import { type ChildProcess, spawn } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { memoryDirectory } from './memory-directory.ts'
import { readThreadsCpuMs } from './process-stats.ts'
import type { BenchVault } from './vault.ts'

export interface Subject {
  readonly name: string
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]]
  /** Whether SIGHUP makes it renew at once, and /metrics tells of it. */
  readonly isOurs: boolean
}

export interface Run {
  readonly pid: number
  readonly directory: string
  /** Milliseconds from the start of the process to three files that belong together. */
  readonly publishedAfterMs: number
  /** User and system time of its threads until then. */
  readonly publishedAfterCpuMs: number
  /** The serial number of the certificate in place. */
  serial(): string | undefined
  output(): string
  stop(): Promise<void>
}

const longestStartMs = 20_000

/** The image's flags (Dockerfile) and, as a CA is configured here, the one that docs/image.md adds then. */
const tunedFlags = ['--v8-pool-size=1', '--max-semi-space-size=1', '--use-openssl-ca']

export function ourAgent(): Subject {
  return { name: 'calico-vault-agent', command: [process.execPath, ...tunedFlags, 'dist/main.js'], isOurs: true }
}

export function otherAgent(commandLine: string): Subject {
  return { name: commandLine.split(' ')[0] ?? commandLine, command: ['sh', '-c', `exec ${commandLine}`], isOurs: false }
}

/** One template that writes three files, as Vault's documentation has it. The key is made by Vault. */
const vaultAgentConfig = `auto_auth { method "jwt" {
  config = { path = "$AGENT_AUTH_TOKEN_FILE", role = "calico-node", remove_jwt_after_reading = false }
} }
template {
  destination = "$AGENT_DIR/etcd-cert"
  contents = <<EOT
{{ with pkiCert "pki/issue/calico-node" "common_name=calico-node:node1" "ttl=24h" "exclude_cn_from_sans=true" -}}
{{ .CA | writeToFile "$AGENT_DIR/etcd-ca" "" "" "0644" }}{{ .Key | writeToFile "$AGENT_DIR/etcd-key" "" "" "0600" }}{{ .Cert }}
{{- end }}
EOT
}`

export function vaultAgent(program: string): Subject {
  const script = `cat > "$AGENT_DIR/agent.hcl" <<CONFIG\n${vaultAgentConfig}\nCONFIG\nexec ${program} agent -config="$AGENT_DIR/agent.hcl"`
  return { name: 'vault-agent', command: ['sh', '-c', script], isOurs: false }
}

/** Starts the subject in an empty directory and waits for its first certificate. */
export async function startSubject(subject: Subject, vault: BenchVault, env: NodeJS.ProcessEnv = {}): Promise<Run> {
  const directory = mkdtempSync(join(memoryDirectory(), 'calico-vault-agent-bench-'))
  const [program, ...args] = subject.command
  const startedAt = performance.now()
  const child = spawn(program, args, {
    env: { ...subjectEnvironment(vault, directory), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = collect(child)
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const run = {
    pid: child.pid ?? -1,
    directory,
    serial: () => readSerial(directory),
    output,
    async stop() {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
      await gone
      clearTimeout(timer)
      rmSync(directory, { recursive: true, force: true })
    },
  }
  while (readSerial(directory) === undefined) {
    if (child.exitCode !== null || performance.now() - startedAt > longestStartMs) {
      await run.stop()
      throw new Error(`${subject.name} published nothing:\n${output()}`)
    }
    await delay(1)
  }
  const publishedAfterMs = performance.now() - startedAt
  return { ...run, publishedAfterMs, publishedAfterCpuMs: readThreadsCpuMs(run.pid) }
}

/** What ours is configured by, and what another agent's command may use. */
function subjectEnvironment(vault: BenchVault, directory: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    MALLOC_ARENA_MAX: '1',
    SSL_CERT_FILE: '/dev/null',
    VAULT_ADDR: vault.address,
    VAULT_CACERT: vault.caFile,
    NODE_NAME: 'node1',
    AGENT_AUTH_METHOD: 'jwt',
    AGENT_AUTH_TOKEN_FILE: vault.tokenFile('node1'),
    AGENT_DIR: directory,
    // It is made to renew as often as it can.
    AGENT_ISSUANCE_BUDGET: 'off',
    AGENT_LISTEN: '127.0.0.1:0',
  }
}

/** Undefined until certificate and key are there and belong together. */
function readSerial(directory: string): string | undefined {
  try {
    const certificate = new X509Certificate(readFileSync(join(directory, 'etcd-cert')))
    const key = createPrivateKey(readFileSync(join(directory, 'etcd-key')))
    readFileSync(join(directory, 'etcd-ca'))
    return certificate.checkPrivateKey(key) ? certificate.serialNumber : undefined
  } catch {
    return undefined
  }
}

function collect(child: ChildProcess): () => string {
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
  }
  return () => text
}
