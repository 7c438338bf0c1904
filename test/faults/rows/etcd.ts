/** Owns the faults of a real etcd that is asked before every publication (AGENT_ETCD_PROBE=require). */
import { readPublished } from '../../integration/agent/published.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { etcdGet } from '../../support/etcd-grpc.ts'
import { killLeader } from '../../support/etcd-leader.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'
import type { FaultRow, Stage } from '../row.ts'

const group = 'etcd'
/** A certificate serves meanwhile: etcd is asked again within five minutes (docs/architecture.md). */
const awaitedWithinSeconds = 300
const rootOf = async (stage: Stage) => etcdAuth(await one(stage).client('root'))
const userOf = ({ node }: Stage): string => `calico-node:${node}`

function one({ etcd }: Stage): RealEtcd {
  const [member] = etcd
  if (member === undefined) throw new Error('the row has no etcd')
  return member
}

export const etcdRows: readonly FaultRow[] = [
  {
    group,
    name: 'down',
    reasons: ['etcd-unheard'],
    etcdMembers: 1,
    inject: (stage) => one(stage).kill(),
    recover: (stage) => one(stage).restart(),
  },
  {
    group,
    name: 'the leader of three is killed',
    reasons: [],
    etcdMembers: 3,
    inject: (stage) => killLeader(stage.etcd),
    recover: () => {},
  },
  {
    group,
    // The member that is left knows the user all the same.
    name: 'two members of three are killed: no quorum',
    reasons: [],
    etcdMembers: 3,
    inject: loseQuorum,
    recover: () => {},
  },
  {
    group,
    name: 'authentication is switched off',
    reasons: [],
    etcdMembers: 1,
    inject: async (stage) => (await rootOf(stage)).disable(),
    recover: async (stage) => (await rootOf(stage)).enable(),
  },
  {
    group,
    name: 'the user is removed',
    reasons: ['etcd-unknown-user'],
    recoversWithinSeconds: awaitedWithinSeconds,
    etcdMembers: 1,
    inject: async (stage) => (await rootOf(stage)).deleteUser(userOf(stage)),
    async recover(stage) {
      const auth = await rootOf(stage)
      await auth.addUser(userOf(stage))
      await auth.grantRole(userOf(stage), 'calico-node')
    },
  },
  {
    group,
    name: 'the role is taken from the user',
    reasons: ['etcd-permission-denied'],
    recoversWithinSeconds: awaitedWithinSeconds,
    etcdMembers: 1,
    inject: async (stage) => (await rootOf(stage)).revokeRole(userOf(stage), 'calico-node'),
    recover: async (stage) => (await rootOf(stage)).grantRole(userOf(stage), 'calico-node'),
  },
  {
    group,
    name: 'the certificate in place is revoked (CRL)',
    reasons: [],
    etcdMembers: 1,
    inject: revokePublished,
    recover: () => {},
  },
  {
    group,
    name: 'the PKI CA is no longer accepted',
    reasons: ['etcd-rejected-certificate'],
    etcdMembers: 1,
    inject: (stage) => one(stage).restart({ clientCaPem: '' }),
    recover: (stage) => one(stage).restart({ clientCaPem: `${stage.lab.setup.rootPem}\n` }),
  },
]

/** The member that is left does not know it at once. */
async function loseQuorum(stage: Stage): Promise<void> {
  await Promise.all(stage.etcd.slice(1).map((member) => member.kill()))
  const root = await one(stage).client('root')
  while ((await etcdGet(root, '/calico/key')).ok) {}
}

/** etcd takes up Vault's CRL, and refuses the certificate in place; only another one helps. */
async function revokePublished(stage: Stage): Promise<void> {
  const { lab, directory } = stage
  const etcd = one(stage)
  const { ca, cert, key } = readPublished(directory)
  await lab.api.root('POST', 'pki/revoke', { certificate: cert })
  const { text } = await lab.api.call('GET', 'pki/crl/pem')
  const clientCrlDer = Buffer.from(text.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
  await etcd.restart({ clientCaPem: `${lab.setup.rootPem}\n`, clientCrlDer })
  const answer = await etcdGet({ endpoint: etcd.endpoint, ca, cert, key }, '/calico/key')
  if (answer.ok) throw new Error('etcd accepts what Vault has revoked')
}
