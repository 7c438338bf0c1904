import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { beforeEach, describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { revealed, Secret } from '../../../agent/core/secret.ts'
import { readLoginParameters, readNodeUid, readStaticToken } from '../../../agent/vault/credentials.ts'
import { tempDir } from '../../support/temp-dir.ts'

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const jwtOf = (payload: unknown): string => `${encode({ alg: 'RS256' })}.${encode(payload)}.CANARY`

let file: string
beforeEach(() => {
  file = join(tempDir(), 'token')
})

const jwtAuth = () => ({ method: 'jwt', mount: 'jwt', role: 'calico-node', tokenFile: file }) as const

function refusal(read: () => unknown): string {
  try {
    read()
  } catch (error) {
    if (!(error instanceof AgentError)) throw error
    if (inspect(error, { depth: Infinity }).includes('CANARY')) throw new Error('leaked', { cause: error })
    return `${error.code}: ${error.message}`
  }
  return 'accepted'
}

describe('jwt and kubernetes', () => {
  test.each(['jwt', 'kubernetes'] as const)('%s: role and token; a trailing newline is nothing', (method) => {
    const jwt = jwtOf({ exp: 100 })
    writeFileSync(file, `${jwt}\n`)
    const { parameters, expiresAtMs } = readLoginParameters({ ...jwtAuth(), method }, 'node1')
    expect(revealed(parameters)).toEqual({ role: 'calico-node', jwt })
    expect(JSON.stringify(parameters)).toBe('{"role":"calico-node","jwt":"[redacted]"}')
    expect(expiresAtMs).toBe(100_000)
  })

  test('the file is read every time', () => {
    for (const exp of [100, 200]) {
      writeFileSync(file, jwtOf({ exp }))
      expect(readLoginParameters(jwtAuth(), 'node1').expiresAtMs).toBe(exp * 1000)
    }
  })

  test.each([
    ['empty', '', /^credential-invalid: .*token is empty$/],
    ['nothing but space', ' \n\t\n', /^credential-invalid: .*token is empty$/],
    ['two lines', 'a.b.c\nCANARY', /^credential-invalid: .*more than one line or is not text$/],
    ['binary', 'CANARY\u0000', /^credential-invalid: .*not text$/],
    ['not a JWT', 'hvs.CANARY', /^credential-invalid: .*token does not hold a JWT$/],
    ['1 MB', 'CANARY'.repeat(170_000), /^credential-missing: .*1020000 bytes; more than 65536 are not read$/],
  ])('%s', (_name, content, expected) => {
    writeFileSync(file, content)
    expect(refusal(() => readLoginParameters(jwtAuth(), 'node1'))).toMatch(expected)
  })

  test.each([
    ['node2', /^wrong-node: .*token is bound to node2, NODE_NAME is node1$/],
    ['NODE1', /^wrong-node: .*token is bound to NODE1, NODE_NAME is node1$/],
    ['node1', /^accepted$/],
    [undefined, /^accepted$/],
  ])('bound to the node %s', (name, expected) => {
    writeFileSync(file, jwtOf({ 'kubernetes.io': name === undefined ? {} : { node: { name } } }))
    expect(refusal(() => readLoginParameters(jwtAuth(), 'node1'))).toMatch(expected)
  })

  test('missing', () => {
    expect(refusal(() => readLoginParameters(jwtAuth(), 'node1'))).toMatch(/^credential-missing: ENOENT.*token/)
  })

  test('a directory', () => {
    mkdirSync(file)
    expect(refusal(() => readLoginParameters(jwtAuth(), 'node1'))).toMatch(
      /^credential-missing: .*token is not a regular file but a directory$/,
    )
  })
})

describe('approle', () => {
  test('role id and secret id come from their files', () => {
    writeFileSync(file, 'role\n')
    writeFileSync(`${file}-secret`, 'secret\n')
    const auth = { method: 'approle', mount: 'approle', roleIdFile: file, secretIdFile: `${file}-secret` } as const
    const { parameters, expiresAtMs } = readLoginParameters(auth, 'node1')
    expect(revealed(parameters)).toEqual({ role_id: 'role', secret_id: 'secret' })
    expect(JSON.stringify(parameters)).not.toMatch(/:"(role|secret)"/)
    expect(expiresAtMs).toBeUndefined()
    const alone = readLoginParameters({ ...auth, secretIdFile: undefined }, 'node1')
    expect(revealed(alone.parameters)).toEqual({ role_id: 'role' })
    expect(refusal(() => readLoginParameters({ ...auth, secretIdFile: `${file}-none` }, 'node1'))).toMatch(
      /^credential-missing/,
    )
    expect(refusal(() => readLoginParameters({ ...auth, roleIdFile: `${file}-none` }, 'node1'))).toMatch(
      /^credential-missing/,
    )
  })
})

test('cert: the name of the role', () => {
  const { parameters } = readLoginParameters({ method: 'cert', mount: 'cert', role: 'calico-node' }, 'node1')
  expect(parameters).toEqual({ name: 'calico-node' })
})

test('token: the configured one, or what stands in the file now', () => {
  const token = new Secret('hvs.configured')
  expect(readStaticToken({ method: 'token', token, tokenFile: undefined })).toBe(token)
  for (const text of ['hvs.first', 'hvs.second']) {
    writeFileSync(file, `${text}\n`)
    expect(readStaticToken({ method: 'token', token: undefined, tokenFile: file }).reveal()).toBe(text)
  }
})

describe('the uid of the node', () => {
  test('is a claim of the token', () => {
    writeFileSync(file, jwtOf({ 'kubernetes.io': { node: { uid: '43adfa72' } } }))
    expect(readNodeUid(jwtAuth())).toBe('43adfa72')
  })

  test('is not there', () => {
    writeFileSync(file, jwtOf({ 'kubernetes.io': { pod: {} } }))
    expect(refusal(() => readNodeUid(jwtAuth()))).toMatch(/^credential-invalid: .*no claim kubernetes.io\/node\/uid/)
    const auth = { method: 'cert', mount: 'cert', role: 'x' } as const
    expect(refusal(() => readNodeUid(auth))).toBe('credential-invalid: the method cert has no service-account token')
  })
})
