import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseCommandLine } from '../../../agent/cli/command-line.ts'
import { UsageError } from '../../../agent/cli/exit.ts'

function connectionOf(line: string): unknown {
  const task = parseCommandLine(line.split(' '))
  return 'options' in task && 'connection' in task.options ? task.options.connection : task
}

describe('settings of a connection, called as the tool of the server calls them', () => {
  it.each([
    ['setup-vault plan', {}],
    ['setup-vault apply --address https://v:8200', { VAULT_ADDR: 'https://v:8200' }],
    [
      'setup-vault plan --vault-addr https://v:8200 --ca-cert ca.pem --namespace team/a',
      {
        VAULT_ADDR: 'https://v:8200',
        VAULT_CACERT: join(process.cwd(), 'ca.pem'),
        VAULT_CACERT_BYTES: undefined,
        VAULT_NAMESPACE: 'team/a',
      },
    ],
    [
      'rotate-ca status --agents a --address https://v:8200 --ca-cert /ca.pem --namespace team/a',
      {
        VAULT_ADDR: 'https://v:8200',
        VAULT_CACERT: '/ca.pem',
        VAULT_CACERT_BYTES: undefined,
        VAULT_NAMESPACE: 'team/a',
      },
    ],
    [
      'doctor --address=https://v:8200 --endpoints https://e:2379',
      { VAULT_ADDR: 'https://v:8200', ETCD_ENDPOINTS: 'https://e:2379' },
    ],
    [
      'provision plan --endpoints 10.0.0.1:2379,https://10.0.0.2:2379 --cacert ca --cert admin --key admin-key',
      {
        ETCD_ENDPOINTS: 'https://10.0.0.1:2379,https://10.0.0.2:2379',
        ETCD_CA_CERT_FILE: 'ca',
        ETCD_CERT_FILE: 'admin',
        ETCD_KEY_FILE: 'admin-key',
      },
    ],
  ])('%s', (line, settings) => {
    expect(connectionOf(line)).toStrictEqual(settings)
  })

  it.each([
    ['setup-vault plan --address=', '--vault-addr is empty'],
    ['rotate-ca plan --issuer x --agents a --ca-cert=', '--ca-cert is empty'],
    ['provision plan --key k', '--cert and --key belong together'],
    ['provision watch --cacert x', "unknown option '--cacert'"],
    ['setup-vault export --address https://v', "unknown option '--address'"],
    ['status --address https://v', "unknown option '--address'"],
  ])('%s: %s', (line, message) => {
    expect(() => connectionOf(line)).toThrow(UsageError)
    expect(() => connectionOf(line)).toThrow(message)
  })
})
