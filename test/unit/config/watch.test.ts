import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseWatchConfig } from '../../../agent/config/watch.ts'
import { ConfigError } from '../../../agent/core/errors.ts'
import { createCa } from '../../support/certificates.ts'
import { tempDir } from '../../support/temp-dir.ts'

const etcd = { ETCD_ENDPOINTS: 'https://etcd:2379' }
const vault = { ...etcd, VAULT_ADDR: 'https://vault:8200', NODE_NAME: 'node1', AGENT_DIR: '/secrets' }
const kube = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' }

function problems(env: Record<string, string>, fromKubernetes = false): readonly string[] {
  try {
    parseWatchConfig(env, 'host', fromKubernetes)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems
  }
}

describe('the configuration of provision watch', () => {
  it('with Vault is that of an agent for the provisioner, whose files etcd is spoken to with', () => {
    const config = parseWatchConfig({ ...vault, ...kube }, 'host', true)
    expect(config.agent?.targets).toMatchObject([{ component: 'calico-provisioner', commonName: 'calico-provisioner' }])
    expect(config.etcdFiles).toEqual(['/secrets/etcd-ca', '/secrets/etcd-cert', '/secrets/etcd-key'])
    expect(config.kubernetes?.origin).toBe('https://[fd00::1]:443')
    expect(() => config.readEtcd()).toThrow(ConfigError)
  })

  it('with certificates that somebody delivers is that of an agent without Vault', () => {
    const delivered = {
      ...etcd,
      ...kube,
      NODE_NAME: 'node1',
      AGENT_SOURCE: 'file',
      AGENT_SOURCE_DIR: '/delivered',
      AGENT_DIR: '/secrets',
    }
    const config = parseWatchConfig(delivered, 'host', true)
    expect(config.agent).toMatchObject({ vault: undefined, source: { kind: 'file' } })
    expect(config.etcdFiles).toEqual(['/secrets/etcd-ca', '/secrets/etcd-cert', '/secrets/etcd-key'])
  })

  it('refuses an unknown variable also if it is empty, as the agent does', () => {
    expect(problems({ ...vault, AGENT_TLL: '' })).toEqual([
      'AGENT_TLL is not a variable of this agent; did you mean AGENT_TTL?',
    ])
  })

  it('without Vault are files that must be there', async () => {
    expect(problems(etcd)).toEqual([
      'ETCD_CA_CERT_FILE is required: a PEM file',
      'ETCD_CERT_FILE is required: a PEM file',
      'ETCD_KEY_FILE is required: a PEM file',
    ])
    const ca = await createCa({ commonName: 'CA' })
    const leaf = await ca.issue({ commonName: 'admin', client: true })
    const directory = tempDir()
    const texts = { CA_CERT: ca.certificatePem, CERT: leaf.certificatePem, KEY: leaf.privateKeyPem }
    const files = Object.entries(texts).map(([name, text]) => {
      writeFileSync(join(directory, name), text)
      return [`ETCD_${name}_FILE`, join(directory, name)] as const
    })
    const config = parseWatchConfig({ ...etcd, ...Object.fromEntries(files) }, 'host', false)
    expect(config).toMatchObject({ agent: undefined, kubernetes: undefined })
    expect(config.readEtcd().operator).toBe('admin')
  })

  it.each([
    [{ ...vault, ETCD_CERT_FILE: '/other/cert' }, false, 'ETCD_CERT_FILE is not the agent'],
    [vault, true, 'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are set in every pod'],
    [{ ...vault, ...kube, AGENT_KUBERNETES_DIR: 'here' }, true, 'AGENT_KUBERNETES_DIR is "here"'],
    [{ ...vault, ETCD_ENDPOINTS: 'http://etcd:2379' }, false, 'ETCD_ENDPOINTS has "http://etcd:2379"'],
    [{ ...vault, AGENT_LISTEN: 'here' }, false, 'AGENT_LISTEN is "here"'],
    [{ ...vault, AGENT_ISSUANCE_BUDGET: '5', AGENT_SOURCE: 'kv' }, false, 'AGENT_ISSUANCE_BUDGET has no effect'],
  ])('%o has a problem', (env, fromKubernetes, problem) => {
    const found = problems(env, fromKubernetes)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(problem)
  })
})
