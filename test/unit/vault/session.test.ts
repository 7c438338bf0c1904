import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { denied, jwtUntil, sessionRig, tokenOf } from './session-rig.ts'

const logins = (calls: readonly string[]): number => calls.filter((call) => call.startsWith('login ')).length

describe('login', () => {
  test('happens when a token is needed, and its token is told of', async () => {
    const { use, calls, events, clock, tokenFile } = sessionRig()
    expect(calls).toEqual([])
    expect(await use()).toBe('t1')
    const jwt = readFileSync(tokenFile, 'utf8')
    expect(calls).toEqual([`login jwt ${jwt}`, 'use t1'])
    expect(events).toEqual([
      { type: 'credential', expiresAtMs: clock.now() + 3_600_000 },
      { type: 'login', method: 'jwt', mount: 'jwt', expiresAtMs: clock.now() + 900_000 },
    ])
  })

  test('happens once for all who need it at the same time', async () => {
    const { use, calls } = sessionRig()
    expect(await Promise.all([use(), use(), use()])).toEqual(['t1', 't1', 't1'])
    expect(logins(calls)).toBe(1)
  })

  test('that fails fails for all who wait, and is tried again by the next', async () => {
    const { use, calls, vault } = sessionRig()
    vault.login = () => Promise.reject(new AgentError('vault-sealed', 'sealed'))
    const results = await Promise.allSettled([use(), use()])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(logins(calls)).toBe(1)
    vault.login = () => Promise.resolve(tokenOf('later'))
    expect(await use()).toBe('later')
  })

  test('reads the file again every time', async () => {
    const { use, calls, clock, tokenFile } = sessionRig()
    await use()
    clock.advance(900_000)
    const renewed = jwtUntil(clock.now() + 3_600_000, 'renewed')
    writeFileSync(tokenFile, renewed)
    await use()
    expect(calls.at(-2)).toBe(`login jwt ${renewed}`)
    rmSync(tokenFile)
    clock.advance(900_000)
    await expect(use()).rejects.toMatchObject({ code: 'credential-missing' })
    expect(logins(calls)).toBe(2)
  })
})

describe('a token', () => {
  test('is used until a tenth of its life is left', async () => {
    const { use, clock, calls } = sessionRig()
    await use()
    clock.advance(809_000)
    expect(await use()).toBe('t1')
    clock.advance(1000)
    expect(await use()).toBe('t2')
    expect(logins(calls)).toBe(2)
  })

  test('lives by the monotonic clock: setting the wall clock changes nothing', async () => {
    const { use, clock } = sessionRig()
    await use()
    clock.setWall(clock.now() + 86_400_000)
    expect(await use()).toBe('t1')
    clock.setWall(0)
    clock.advance(810_000)
    expect(await use()).toBe('t2')
  })

  test('with ttl 0 never ends', async () => {
    const { use, clock, vault, events } = sessionRig()
    vault.login = (count) => Promise.resolve(tokenOf(`t${count}`, 0))
    await use()
    clock.advance(10 * 365 * 86_400_000)
    expect(await use()).toBe('t1')
    expect(events.at(-1)).toMatchObject({ type: 'login', expiresAtMs: undefined })
  })
})

describe('a 403', () => {
  test('on a token of before: one new login, one new try', async () => {
    const { use, calls } = sessionRig()
    await use()
    calls.length = 0
    expect(await use('t1')).toBe('t2')
    expect(calls.map((call) => call.split(' ', 2).join(' '))).toEqual(['use t1', 'login jwt', 'use t2'])
  })

  test('again after the new login is the error', async () => {
    const { use, calls } = sessionRig()
    await use()
    await expect(use('t1', 't2')).rejects.toMatchObject({ code: 'vault-denied' })
    expect(logins(calls)).toBe(2)
  })

  test('on a token that is a moment old is the error: its policy says no', async () => {
    const { use, calls } = sessionRig()
    await expect(use('t1')).rejects.toMatchObject({ code: 'vault-denied' })
    expect(logins(calls)).toBe(1)
    // The next attempt does not believe in that token any more.
    expect(await use('t1')).toBe('t2')
  })

  test('for several users of one token makes one new login', async () => {
    const { use, calls } = sessionRig()
    await use()
    expect(await Promise.all([use('t1'), use('t1'), use('t1')])).toEqual(['t2', 't2', 't2'])
    expect(logins(calls)).toBe(2)
  })

  test('that comes late does not throw away the token that another user has got meanwhile', async () => {
    const { session, use, calls } = sessionRig()
    await use()
    const late = Promise.withResolvers<never>()
    const answers = [late.promise, Promise.resolve('used')]
    const slow = session.use(() => answers.shift() ?? Promise.reject(new Error('used three times')))
    await Promise.resolve()
    expect(await use('t1')).toBe('t2')
    late.reject(denied())
    expect(await slow).toBe('used')
    expect(await use()).toBe('t2')
    expect(logins(calls)).toBe(2)
  })

  test('and a login that then fails: the error of the login', async () => {
    const { use, vault } = sessionRig()
    await use()
    vault.login = () => Promise.reject(new AgentError('vault-login-refused', 'POST login: 400 role'))
    await expect(use('t1')).rejects.toMatchObject({ code: 'vault-login-refused' })
  })
})

test.each(['vault-sealed', 'vault-request-refused', 'vault-timeout'] as const)(
  '%s of the call is passed on as it is',
  async (code) => {
    const { session, calls, use } = sessionRig()
    await use()
    const error = new AgentError(code, 'x')
    await expect(session.use(() => Promise.reject(error))).rejects.toBe(error)
    expect(await use()).toBe('t1')
    expect(logins(calls)).toBe(1)
  },
)

test('a bug in the call is passed on as it is', async () => {
  const { session } = sessionRig()
  await expect(session.use(() => Promise.reject(new TypeError('bug')))).rejects.toThrow(TypeError)
})

describe('a refused login', () => {
  const refused = new AgentError('vault-login-refused', 'POST login: 400 token is expired')

  test('with an expired token is explained', async () => {
    const { use, vault, clock, tokenFile } = sessionRig()
    vault.login = () => Promise.reject(refused)
    const expiredAt = clock.now() - 60_000
    writeFileSync(tokenFile, jwtUntil(expiredAt))
    await expect(use()).rejects.toMatchObject({
      code: 'credential-expired',
      message: `${tokenFile} expired at ${new Date(expiredAt).toISOString()}; POST login: 400 token is expired`,
      cause: refused,
    })
  })

  test('with a token that is still good is what Vault says', async () => {
    const { use, vault } = sessionRig()
    vault.login = () => Promise.reject(refused)
    await expect(use()).rejects.toBe(refused)
  })

  test("is judged by Vault's clock", async () => {
    const { use, vault, clock, skew } = sessionRig()
    vault.login = () => Promise.reject(refused)
    const vaultMs = clock.now() + 7_200_000
    skew.asking()({ earliestMs: vaultMs, latestMs: vaultMs })
    await expect(use()).rejects.toMatchObject({ code: 'credential-expired' })
  })

  test('an outage is not explained by the token', async () => {
    const { use, vault, clock, tokenFile } = sessionRig()
    vault.login = () => Promise.reject(new AgentError('vault-sealed', 'sealed'))
    writeFileSync(tokenFile, jwtUntil(clock.now() - 1000))
    await expect(use()).rejects.toMatchObject({ code: 'vault-sealed' })
  })
})

test('cert logs in with its role', async () => {
  const { use, calls, events } = sessionRig('cert')
  expect(await use()).toBe('t1')
  expect(calls[0]).toBe('login cert calico-node')
  expect(events[0]).toEqual({ type: 'credential', expiresAtMs: undefined })
})
