/** The guard that every program in the tests runs under: it must see what it is there for. */
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runProgram } from '../support/command.ts'
import { watchSecrets } from '../support/no-secrets.ts'
import { tempDir } from '../support/temp-dir.ts'

const token = 'hvs.CAESIJ0123456789abcdef'

it('sees a token, the line of a key and the signature of a JWT, each alone', () => {
  const root = tempDir()
  const key = generateKeyPairSync('ec', {
    namedCurve: 'prime256v1',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  }).privateKey
  writeFileSync(join(root, 'key'), key)
  writeFileSync(join(root, 'token'), 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLW9mLWEtand0\n')
  const env = { VAULT_TOKEN: token, ETCD_KEY_FILE: join(root, 'key'), AGENT_AUTH_TOKEN_FILE: join(root, 'token') }
  const secretsIn = watchSecrets({ ...env, ETCD_CERT_FILE: join(root, 'none') })
  expect(secretsIn(`x ${token} y`)).toEqual(['VAULT_TOKEN'])
  expect(secretsIn(key)).toEqual(['ETCD_KEY_FILE'])
  expect(secretsIn('c2lnbmF0dXJlLW9mLWEtand0')).toEqual(['AGENT_AUTH_TOKEN_FILE'])
  expect(secretsIn(`${join(root, 'key')} VAULT_TOKEN`)).toEqual([])
})

it('fails the test of a program that tells one', async () => {
  const program = runProgram(process.execPath, ['-p', 'process.env.VAULT_TOKEN'], { env: { VAULT_TOKEN: token } })
  await expect(program).rejects.toThrow('has told the secrets of VAULT_TOKEN')
})
