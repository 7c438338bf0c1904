/** Owns the set-up of the session's tests: a Vault that answers when the test says so, and files with tokens. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Auth } from '../../../agent/config/auth.ts'
import { AgentError } from '../../../agent/core/errors.ts'
import { revealed, Secret } from '../../../agent/core/secret.ts'
import type { AgentEvent } from '../../../agent/sidecar/observe/events.ts'
import type { Token } from '../../../agent/vault/answers.ts'
import type { Credentials, VaultApi } from '../../../agent/vault/client.ts'
import { createSession, type Session } from '../../../agent/vault/session.ts'
import { createSkewMeter, type SkewMeter } from '../../../agent/vault/skew.ts'
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts'
import { tempDir } from '../../support/temp-dir.ts'

export interface SessionRig {
  readonly session: Session
  readonly clock: FakeClock
  readonly skew: SkewMeter
  readonly events: AgentEvent[]
  /** What has been asked of Vault, in order. */
  readonly calls: string[]
  readonly tokenFile: string
  /** Answers of Vault; a test replaces them. */
  readonly vault: {
    login: (count: number) => Promise<Token>
    lookup: (token: string) => Promise<Token>
    renew: (token: string) => Promise<Token>
  }
  /** Uses the session and answers with the token that the call got; the call refuses the given tokens. */
  readonly use: (...refused: readonly string[]) => Promise<string>
}

export function tokenOf(text: string, ttlSeconds = 900, renewable = false): Token {
  return { token: new Secret(text), ttlSeconds, renewable }
}

export const denied = (): AgentError => new AgentError('vault-denied', 'POST sign: 403 permission denied')

/** A service-account token that ends at the given moment. */
export function jwtUntil(epochMs: number, name = 'x'): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${encode({})}.${encode({ exp: epochMs / 1000, name })}.c2ln`
}

export function sessionRig(method: 'jwt' | 'token' | 'cert' = 'jwt', inline = false): SessionRig {
  const clock = createFakeClock()
  const tokenFile = join(tempDir(), 'token')
  writeFileSync(tokenFile, method === 'token' ? 'hvs.file' : jwtUntil(clock.now() + 3_600_000))
  const calls: string[] = []
  const events: AgentEvent[] = []
  const skew = createSkewMeter(clock, (event) => void events.push(event))
  const vault: SessionRig['vault'] = {
    login: (count) => Promise.resolve(tokenOf(`t${count}`)),
    lookup: (token) => Promise.resolve(tokenOf(token)),
    renew: (token) => Promise.resolve(tokenOf(token)),
  }
  let logins = 0
  const api: VaultApi = {
    login: (mount, parameters) => {
      calls.push(`login ${mount} ${revealed(parameters)['jwt'] ?? revealed(parameters)['name'] ?? ''}`)
      return vault.login(++logins)
    },
    lookupToken: (token) => {
      calls.push(`lookup ${token.reveal()}`)
      return vault.lookup(token.reveal())
    },
    renewToken: (token) => {
      calls.push(`renew ${token.reveal()}`)
      return vault.renew(token.reveal())
    },
    sign: () => Promise.reject(new Error('not asked for')),
    issuers: () => Promise.reject(new Error('not asked for')),
    readSecret: () => Promise.reject(new Error('not asked for')),
  }
  const auths: Readonly<Record<typeof method, Auth>> = {
    jwt: { method: 'jwt', mount: 'jwt', role: 'calico-node', tokenFile },
    token: { method: 'token', token: undefined, tokenFile },
    cert: { method: 'cert', mount: 'cert', role: 'calico-node' },
  }
  const emit = (event: AgentEvent): void => void events.push(event)
  const session = createSession({ auth: auths[method], node: 'node1', inline, api, clock, skew, emit })
  const use = (...refused: readonly string[]): Promise<string> =>
    session.use((credentials: Credentials) => {
      const token = revealed(credentials)['X-Vault-Token'] ?? ''
      calls.push(`use ${token}`)
      return refused.includes(token) ? Promise.reject(denied()) : Promise.resolve(token)
    })
  return { session, clock, skew, events, calls, tokenFile, vault, use }
}
