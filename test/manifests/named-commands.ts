/** Owns what is known of the commands that the documents name in sentences: what each shows on real servers, in an order in which they can be run. */

import { expect } from 'vitest'
import type { Ended } from '../support/command.ts'

export interface NamedCommand {
  readonly command: string
  /** The test that runs it. */
  readonly by: 'quick-path' | 'cluster-path'
  readonly shows: RegExp
  /** What stands in the document, and what it is here. */
  readonly here?: Readonly<Record<string, string>>
  /** Default: 0. */
  readonly code?: number | 'any'
}

const etcd = (command: string, shows: RegExp, here?: NamedCommand['here']): NamedCommand => ({
  command: `etcdctl ${command}`,
  by: 'quick-path',
  shows,
  ...(here === undefined ? {} : { here }),
})
const vault = (command: string, shows: RegExp, here?: NamedCommand['here'], code = 0): NamedCommand => ({
  command: `vault ${command}`,
  by: 'quick-path',
  shows,
  code,
  ...(here === undefined ? {} : { here }),
})
const cluster = (command: string, shows: RegExp, here?: NamedCommand['here']): NamedCommand => ({
  command,
  by: 'cluster-path',
  shows,
  ...(here === undefined ? {} : { here }),
})
const other = (command: string, shows: RegExp, here?: NamedCommand['here']): NamedCommand => ({
  ...cluster(command, shows, here),
  by: 'quick-path',
})
const node9 = { NAME: 'calico-node:node9' }

export const commandsRun: readonly NamedCommand[] = [
  other('kubectl get --raw /readyz?verbose', /readyz check passed/),
  other('curl -v https://vault…:8200/v1/sys/health', /"initialized":true,"sealed":false/),
  other('curl VAULT_ADDR/v1/sys/health', /"initialized":true,"sealed":false/),
  // A member that wants a certificate and gets none ends the connection, before or after openssl has left.
  { ...other('openssl s_client -connect HOST:2379 -showcerts', /BEGIN CERTIFICATE/), code: 'any' },
  {
    ...other('openssl s_client -connect MEMBER:2379 </dev/null', /Acceptable client certificate CA names/),
    here: { MEMBER: 'HOST' },
    code: 'any',
  },
  other('openssl x509 -in FILE -noout -text', /Subject: .*Calico etcd clients/, { FILE: 'pki-ca.pem' }),

  etcd('version', /etcdctl version/),
  etcd('endpoint health', /is healthy/),
  etcd('endpoint status', /https:/),
  etcd('endpoint status --cluster', /https:/),
  etcd('alarm list', /^$/),
  etcd('alarm disarm', /^$/),
  etcd('get / --prefix --keys-only --limit 100', /^\/calico/m),
  etcd('user get NAME', /Roles: .*calico-node/, { NAME: 'calico-node:node1' }),
  etcd('role get ROLE', /KV Read:\n[^]*\/calico\//, { ROLE: 'calico-vault-agent/calico-node:node1' }),
  etcd('user add NAME --no-password', /User calico-node:node9 created/, node9),
  etcd('user grant-role NAME root', /Role root is granted to user calico-node:node9/, node9),
  etcd('user revoke-role USER OLD-ROLE', /Role root is revoked from user calico-node:node9/, {
    USER: 'calico-node:node9',
    'OLD-ROLE': 'root',
  }),
  etcd('user add calico-provisioner --no-password', /User calico-provisioner created/),
  etcd('user grant-role calico-provisioner root', /Role root is granted to user calico-provisioner/),
  etcd('user delete calico-node:node1', /User calico-node:node1 deleted/),
  etcd('auth disable', /Authentication Disabled/),

  vault('write -f auth/approle/role/node1/secret-id', /^$/),
  vault('read pki/config/issuers', /"default"/),
  vault('read pki/issuer/default', /BEGIN CERTIFICATE/),
  vault('read pki/roles/ROLE', /"client_flag": true/, { ROLE: 'calico-node' }),
  vault('list pki/keys', /"keys"/),
  vault('list -detailed pki/issuers', /"issuer_name": "second"/),
  // As the CLI does, where there is none.
  vault('list sys/quotas/rate-limit', /^$/, {}, 2),
  vault('secrets tune -max-lease-ttl=87600h pki', /^$/),
  vault('write pki/config/issuers default=second', /^$/),
  vault('write pki/config/issuers default=ID', /^$/),
  vault('write pki/issuers/import/cert pem_bundle=@chain.pem', /^$/, { 'chain.pem': 'pki-ca.pem' }),
  vault('delete pki/issuer/OLD', /^$/, { OLD: 'second' }),

  cluster('kubectl -n kube-system rollout restart ds/calico-node', /daemonset.apps\/calico-node restarted/),
  cluster('kubectl auth can-i watch nodes --as system:serviceaccount:NAMESPACE:NAME', /^yes\n$/, {
    NAMESPACE: 'kube-system',
    NAME: 'calico-provisioner',
  }),
  cluster('kubectl kustomize DIR | kubectl diff -f -', /^$/, { DIR: 'my-cluster' }),
  cluster('yq .spec manifests/monitoring/prometheus-rule.yaml > calico-vault-agent.rules.yaml', /^$/),
]

const partial = 'a name for a kind of command, not one to run'
/** Each with its reason. */
export const commandsNotRun: Readonly<Record<string, string>> = {
  'etcdctl snapshot save': partial,
  'etcdctl user grant-role': partial,
  'kubectl apply --prune': partial,
  'kubectl -n kube-system delete secret calico-etcd-secrets':
    'test/manifests/cluster-path.test.ts has it from migration.md',
  'kubectl exec … -- node /app/main.js status': 'run in a pod by test/e2e',
  'kubectl exec … status': 'run in a pod by test/e2e',
  'openssl x509 -noout -pubkey': partial,
  'openssl x509 -noout -text': partial,
  'vault operator unseal': 'asks for a share; test/integration/vault-contract/seal.ts unseals by the API',
  'vault policy read': partial,
  'vault policy read …': partial,
  'vault status': "the stand-in for Vault's CLI has no words of its own",
  'curl NODE:9879/readyz': 'test/e2e runs the one of install.md',
  'etcdctl user add calico-provisioner --no-password; etcdctl user grant-role calico-provisioner root':
    'run one after the other, as etcd.md has them',
  'curl -v --proxy http://PROXY https://VAULT:8200/v1/sys/health': 'test/integration/agent/proxy.test.ts has the proxy',
}

type Run = (command: string, here: Readonly<Record<string, string>>) => Promise<Ended>

/** Runs those of one test in their order, and looks at what each says. */
export async function runNamed(by: NamedCommand['by'], run: Run): Promise<void> {
  const unexpected: object[] = []
  for (const { command, by: its, here = {}, shows, code = 0 } of commandsRun) {
    if (its !== by) continue
    const ended = await run(command, here)
    // etcdctl says how a member is on standard error.
    const isShown = shows.test(ended.stdout) || shows.test(ended.stderr)
    if (!isShown || (code !== 'any' && ended.code !== code)) unexpected.push({ command, shows, ...ended })
  }
  expect(unexpected).toEqual([])
}
