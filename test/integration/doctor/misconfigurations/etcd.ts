/** Owns what can be wrong with etcd: its CA and ours, its users, roles and key ranges. */
import { onTestFinished } from 'vitest'
import { freePort } from '../../../support/child-server.ts'
import { user } from '../stack.ts'
import { type Misconfiguration, withEnv } from './row.ts'

export const etcdMisconfigurations: readonly Misconfiguration[] = [
  {
    title: "the CA of etcd's servers is not in the set",
    spoil: withEnv({ AGENT_ETCD_CA_FILE: undefined }),
    check: 'etcd-server',
    reason: 'etcd-untrusted-server',
    saw: /127\.0\.0\.1/,
    advice: /AGENT_ETCD_CA_FILE/,
  },
  {
    title: "etcd does not know Vault's CA",
    async spoil({ etcd, rootPem }) {
      await etcd.restart({ clientCaPem: '' })
      onTestFinished(() => etcd.restart({ clientCaPem: `${rootPem}\n` }))
      return {}
    },
    check: 'etcd-server',
    reason: 'etcd-rejected-certificate',
    saw: /unknown ca|certificate/i,
    advice: /--trusted-ca-file/,
  },
  {
    title: 'one of two members is down',
    async spoil({ etcd }) {
      return { env: { ETCD_ENDPOINTS: `${etcd.endpoint},https://127.0.0.1:${await freePort()}` } }
    },
    check: 'etcd-server',
    status: 'warning',
    reason: 'etcd-unheard',
    saw: /ECONNREFUSED/,
    advice: /ETCD_ENDPOINTS/,
  },
  {
    title: 'etcd has no user of this name',
    async spoil({ auth }) {
      const roles = await auth.rolesOf(user)
      await auth.deleteUser(user)
      onTestFinished(async () => {
        await auth.addUser(user)
        for (const role of roles) await auth.grantRole(user, role)
      })
      return {}
    },
    check: 'etcd-user',
    reason: 'etcd-unknown-user',
    saw: /there is no user calico-node:node1/,
    advice: /Add the user/,
  },
  {
    title: "the user lacks the keys that are the node's own",
    async spoil({ auth }) {
      const role = `calico-vault-agent/${user}`
      await auth.revokeRole(user, role)
      onTestFinished(() => auth.grantRole(user, role))
      return {}
    },
    check: 'etcd-keys',
    reason: 'etcd-permission-denied',
    saw: /lacks readwrite \/calico\/.*node1/,
    advice: /provision plan, then apply/,
  },
  {
    title: 'the user has the keys of another version of Calico than the one that runs',
    spoil: withEnv({ AGENT_CALICO_VERSION: 'v3.30.7' }),
    check: 'etcd-keys',
    reason: 'etcd-permission-denied',
    saw: /^lacks readwrite .*tiers\/adminnetworkpolicy\nlacks readwrite .*tiers\/baselineadminnetworkpolicy$/,
    advice: /provision plan, then apply/,
  },
  {
    title: 'the user is an administrator of etcd',
    async spoil({ auth }) {
      await auth.grantRole(user, 'root')
      onTestFinished(() => auth.revokeRole(user, 'root'))
      return {}
    },
    check: 'etcd-keys',
    status: 'warning',
    saw: /has the role root/,
    advice: /only what its component needs/,
  },
]
