/** Owns an etcd whose server certificates are signed by the PKI of its clients, with a user for each node. */
import { createCsr, exportKey, generateKey } from '../../../agent/pki/key.ts'
import type { TestCa } from '../../support/certificates.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { type RealEtcd, startRealEtcd } from '../../support/real-etcd.ts'
import { readText } from '../../support/vault-setup-auth.ts'
import type { Lab } from './lab.ts'

async function addServerRole({ api }: Lab): Promise<void> {
  const role = {
    allow_any_name: true,
    use_csr_common_name: false,
    use_csr_sans: false,
    key_type: 'ec',
    server_flag: true,
  }
  await api.root('POST', 'pki/roles/etcd-server', { ...role, ttl: '24h' })
}

/** Signed by the mount's default issuer. */
export function serverCa(
  { api, setup }: Lab,
  certificatePem = `${setup.rootPem}\n`,
): Pick<TestCa, 'certificatePem' | 'issue'> {
  return {
    certificatePem,
    issue: async () => {
      const key = await generateKey('ec-p256')
      const request = { csr: createCsr(key), common_name: 'localhost', ip_sans: '127.0.0.1' }
      const { body } = await api.root('POST', 'pki/sign/etcd-server', request)
      return {
        certificatePem: `${readText(body.data, 'certificate')}\n`,
        privateKeyPem: exportKey(key).reveal(),
        serialNumber: '',
      }
    },
  }
}

/** It trusts the issuer that the mount began with, and has authentication on. */
export async function startEtcdOfPki(lab: Lab, nodes: readonly string[]): Promise<RealEtcd> {
  await addServerRole(lab)
  const member = await startRealEtcd({ clientCaPem: `${lab.setup.rootPem}\n`, serverCa: serverCa(lab) })
  try {
    const auth = etcdAuth(await member.client('root'))
    await auth.addRole('calico-node')
    await auth.grantPrefix('calico-node', 'readwrite', '/calico/')
    for (const node of nodes) {
      await auth.addUser(`calico-node:${node}`)
      await auth.grantRole(`calico-node:${node}`, 'calico-node')
    }
    await auth.enable()
    return member
  } catch (error) {
    await member.stop()
    throw error
  }
}
