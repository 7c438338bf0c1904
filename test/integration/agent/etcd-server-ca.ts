/** Owns etcd's server certificates where the PKI of its clients signs them too. */
import { createCsr } from '../../../agent/pki/csr.ts'
import { exportKey, generateKey } from '../../../agent/pki/key.ts'
import type { TestCa } from '../../support/certificates.ts'
import { readText } from '../../support/vault-setup-auth.ts'
import type { Lab } from './lab.ts'

export async function addServerRole({ api }: Lab): Promise<void> {
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
