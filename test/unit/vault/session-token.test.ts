import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { revealed } from '../../../agent/core/secret.ts'
import { denied, jwtUntil, sessionRig, tokenOf } from './session-rig.ts'

describe('a token that was handed to us', () => {
  test('is looked up before its first use, and not again', async () => {
    const { use, calls } = sessionRig('token')
    expect(await use()).toBe('hvs.file')
    await use()
    expect(calls).toEqual(['lookup hvs.file', 'use hvs.file', 'use hvs.file'])
  })

  test('counts anew when the file has been replaced', async () => {
    const { use, calls, tokenFile } = sessionRig('token')
    await use()
    writeFileSync(tokenFile, 'hvs.next\n')
    expect(await use()).toBe('hvs.next')
    expect(calls.at(-2)).toBe('lookup hvs.next')
  })

  test('that Vault has forgotten is looked up once more, then told', async () => {
    const { use, calls, vault } = sessionRig('token')
    await use()
    vault.lookup = () => Promise.reject(denied())
    await expect(use('hvs.file')).rejects.toMatchObject({ code: 'vault-denied' })
    expect(calls.slice(2)).toEqual(['use hvs.file', 'lookup hvs.file'])
  })

  test('whose file is gone is told', async () => {
    const { use, tokenFile } = sessionRig('token')
    await use()
    rmSync(tokenFile)
    await expect(use()).rejects.toMatchObject({ code: 'credential-missing' })
  })
})

describe('its renewal', () => {
  test('comes at half of its life, and again', async () => {
    const { session, calls, clock, vault } = sessionRig('token')
    vault.lookup = (token) => Promise.resolve(tokenOf(token, 1000, true))
    vault.renew = (token) => Promise.resolve(tokenOf(token, 1000, true))
    for (let second = 0; second <= 1200; second += 30) {
      await session.maintain()
      clock.advance(30_000)
    }
    // Asked every 30 s: at 510 s, the first time after half of 1000 s, and 510 s later.
    expect(calls).toEqual(['lookup hvs.file', 'renew hvs.file', 'renew hvs.file'])
  })

  test('is for a token that nobody has used since the start, too', async () => {
    const { session, calls } = sessionRig('token')
    await session.maintain()
    expect(calls).toEqual(['lookup hvs.file'])
  })

  test('is for the token that is in the file now', async () => {
    const { session, calls, clock, tokenFile, vault } = sessionRig('token')
    vault.lookup = (token) => Promise.resolve(tokenOf(token, 1000, true))
    await session.maintain()
    writeFileSync(tokenFile, 'hvs.next')
    await session.maintain()
    clock.advance(600_000)
    await session.maintain()
    expect(calls).toEqual(['lookup hvs.file', 'lookup hvs.next', 'renew hvs.next'])
  })

  test.each([
    ['cannot be renewed', tokenOf('hvs.file', 900, false)],
    ['never ends', tokenOf('hvs.file', 0, true)],
  ])('is not for a token that %s', async (_why, token) => {
    const { session, calls, clock, vault } = sessionRig('token')
    vault.lookup = () => Promise.resolve(token)
    await session.maintain()
    clock.advance(500_000)
    await session.maintain()
    expect(calls).toEqual(['lookup hvs.file'])
  })

  test('that fails is tried again; the token is used as long as it lives', async () => {
    const { session, use, clock, vault } = sessionRig('token')
    vault.lookup = (token) => Promise.resolve(tokenOf(token, 1000, true))
    vault.renew = () => Promise.reject(new AgentError('vault-sealed', 'sealed'))
    await use()
    clock.advance(600_000)
    await expect(session.maintain()).rejects.toMatchObject({ code: 'vault-sealed' })
    expect(await use()).toBe('hvs.file')
    vault.renew = (token) => Promise.resolve(tokenOf(token, 1000, true))
    await session.maintain()
    clock.advance(600_000)
    expect(await use()).toBe('hvs.file')
  })

  test.each(['jwt', 'cert'] as const)('is nothing for the method %s: it logs in when it needs to', async (method) => {
    const { session, use, calls, clock, vault } = sessionRig(method)
    vault.login = () => Promise.resolve(tokenOf('t', 900, true))
    await session.maintain()
    await use()
    clock.advance(600_000)
    await session.maintain()
    expect(calls.map((call) => call.split(' ', 1)[0])).toEqual(['login', 'use'])
  })
})

describe('inline authentication', () => {
  test('sends the credential with the request itself, read anew every time', async () => {
    const { session, calls, events, clock, tokenFile } = sessionRig('jwt', true)
    const sent = async (): Promise<unknown> => {
      const headers = revealed(await session.use((credentials) => Promise.resolve(credentials)))
      expect(headers['X-Vault-Inline-Auth-Path']).toBe('auth/jwt/login')
      return JSON.parse(Buffer.from(headers['X-Vault-Inline-Auth-Parameter-jwt'] ?? '', 'base64url').toString()).value
    }
    expect(await sent()).toBe(readFileSync(tokenFile, 'utf8'))
    const renewed = jwtUntil(clock.now() + 1000)
    writeFileSync(tokenFile, renewed)
    expect(await sent()).toBe(renewed)
    expect(calls).toEqual([])
    expect(events).toEqual([
      { type: 'credential', expiresAtMs: clock.now() + 3_600_000 },
      { type: 'credential', expiresAtMs: clock.now() + 1000 },
    ])
  })

  test('is not tried again, and says where the server does not know it', async () => {
    const { use, calls } = sessionRig('jwt', true)
    await expect(use('')).rejects.toMatchObject({ code: 'inline-auth-unsupported' })
    expect(calls).toEqual(['use '])
  })

  test('with an expired token is explained', async () => {
    const { session, clock, tokenFile } = sessionRig('jwt', true)
    writeFileSync(tokenFile, jwtUntil(clock.now() - 1000))
    const refused = new AgentError('vault-login-refused', 'POST sign: 400 token is expired')
    await expect(session.use(() => Promise.reject(refused))).rejects.toMatchObject({ code: 'credential-expired' })
  })
})
