/** Owns readers beside a rotating agent: the program of reader.ts, and handshakes with a real etcd. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setImmediate } from 'node:timers/promises'
import { connect } from 'node:tls'
import type { Readings } from './reader.ts'

export interface Reader {
  readonly found: Readings
  stop(): Promise<void>
}

export function startReader(directory: string): Reader {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'reader.ts'), directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
  let found: Readings = { pairs: 0, tornByName: 0, tornResolved: 0, missingByName: 0, certificates: 0 }
  createInterface({ input: child.stdout }).on('line', (line) => {
    found = JSON.parse(line) as Readings
  })
  return {
    get found() {
      return found
    },
    async stop() {
      child.stdin.end()
      await gone
    },
  }
}

export interface EtcdHandshakes {
  readonly count: number
  readonly failures: readonly string[]
  stop(): Promise<void>
}

/** One TLS connection after the other to etcd, each with what stands in the directory at that moment. */
export function startEtcdHandshakes(directory: string, endpoint: string): EtcdHandshakes {
  const { hostname, port } = new URL(endpoint)
  const failures: string[] = []
  let isRunning = true
  let count = 0

  const handshake = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const read = (name: string): string => readFileSync(join(directory, name), 'utf8')
      // A client of Go reads the CA set once, then for every handshake the certificate and the key, one after the other.
      const [cert, key] = [read('etcd-cert'), read('etcd-key')]
      const socket = connect({ host: hostname, port: Number(port), ca, cert, key, ALPNProtocols: ['h2'] })
      // TLS 1.3: that etcd speaks HTTP/2 is what proves that it has taken the certificate.
      socket.once('data', () => {
        socket.destroy()
        resolve()
      })
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('closed')))
    })

  const ca = readFileSync(join(directory, 'etcd-ca'), 'utf8')
  const loop = (async () => {
    while (isRunning) {
      await handshake().catch((error: unknown) => failures.push(String(error)))
      count++
      // Also where all of them fail at once, something else gets its turn.
      await setImmediate()
    }
  })()
  return {
    get count() {
      return count
    },
    failures,
    async stop() {
      isRunning = false
      await loop
    },
  }
}
