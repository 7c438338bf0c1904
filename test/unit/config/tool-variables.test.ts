import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { withEtcdctl, withVaultTools, withVaultToolsForAgent } from '../../../agent/config/tool-variables.ts'
import { tempDir } from '../../support/temp-dir.ts'

describe('what is set for bao', () => {
  it('is taken over, unless our own name is set', () => {
    const env = { BAO_ADDR: 'https://bao:8200', BAO_NAMESPACE: 'a', VAULT_NAMESPACE: 'b', BAO_TOKEN: 's.1' }
    const known = withVaultTools(env)
    expect(known).toMatchObject({ VAULT_ADDR: 'https://bao:8200', VAULT_NAMESPACE: 'b', VAULT_TOKEN: 's.1' })
  })

  it('is left alone where it would be half of something', () => {
    const env = { VAULT_CACERT: '/ca', BAO_CACERT_BYTES: 'PEM', VAULT_CLIENT_CERT: '/cert', BAO_CLIENT_KEY: '/key' }
    const known = withVaultTools(env)
    expect(known['VAULT_CACERT_BYTES']).toBeUndefined()
    expect(known['VAULT_CLIENT_KEY']).toBeUndefined()
  })

  it('with an empty variable counts as not set', () => {
    expect(withVaultTools({ VAULT_ADDR: '', BAO_ADDR: 'https://bao:8200' })['VAULT_ADDR']).toBe('https://bao:8200')
  })
})

function loggedIn(): string {
  const home = tempDir()
  writeFileSync(join(home, '.vault-token'), 's.login\n')
  return home
}

describe('the token of a login', () => {
  it('is used if no variable has one', () => {
    const HOME = loggedIn()
    expect(withVaultTools({ HOME })['VAULT_TOKEN']).toBe('s.login')
    expect(withVaultTools({ HOME, BAO_TOKEN: 's.bao' })['VAULT_TOKEN']).toBe('s.bao')
    expect(withVaultTools({ HOME, VAULT_TOKEN: 's.own', BAO_TOKEN: 's.bao' })['VAULT_TOKEN']).toBe('s.own')
    expect(withVaultTools({ HOME: '/nowhere' })['VAULT_TOKEN']).toBeUndefined()
  })

  it('is the agent’s only if that logs in with a token', () => {
    const HOME = loggedIn()
    const exported = { VAULT_TOKEN: 's.exported' }
    expect(withVaultToolsForAgent({ HOME, ...exported, AGENT_AUTH_METHOD: 'jwt' })['VAULT_TOKEN']).toBeUndefined()
    expect(withVaultToolsForAgent({ HOME, ...exported })['VAULT_TOKEN']).toBeUndefined()
    expect(withVaultToolsForAgent({ HOME, ...exported, AGENT_AUTH_METHOD: 'token' })['VAULT_TOKEN']).toBe('s.exported')
    expect(withVaultToolsForAgent({ HOME, AGENT_AUTH_METHOD: 'token' })['VAULT_TOKEN']).toBe('s.login')
    const file = { AGENT_AUTH_METHOD: 'token', AGENT_VAULT_TOKEN_FILE: '/token' }
    expect(withVaultToolsForAgent({ HOME, ...file })['VAULT_TOKEN']).toBeUndefined()
    // That both are set is the agent's own mistake, which doctor has to tell.
    expect(withVaultToolsForAgent({ HOME, ...file, ...exported })['VAULT_TOKEN']).toBe('s.exported')
  })
})

describe('what is set for etcdctl', () => {
  it('is taken over; endpoints may lack the scheme', () => {
    const env = {
      ETCDCTL_ENDPOINTS: 'a:2379,https://b:2379',
      ETCDCTL_CACERT: '/ca',
      ETCDCTL_CERT: '/c',
      ETCDCTL_KEY: '/k',
    }
    expect(withEtcdctl(env)).toMatchObject({
      ETCD_ENDPOINTS: 'https://a:2379,https://b:2379',
      ETCD_CA_CERT_FILE: '/ca',
      ETCD_CERT_FILE: '/c',
      ETCD_KEY_FILE: '/k',
    })
  })

  it('never wins over our own names, and a key never belongs to another certificate', () => {
    const env = {
      ETCD_ENDPOINTS: 'https://own:2379',
      ETCDCTL_ENDPOINTS: 'a:2379',
      ETCD_CERT_FILE: '/own',
      ETCDCTL_KEY: '/k',
    }
    const known = withEtcdctl(env)
    expect(known['ETCD_ENDPOINTS']).toBe('https://own:2379')
    expect(known['ETCD_KEY_FILE']).toBeUndefined()
  })
})
