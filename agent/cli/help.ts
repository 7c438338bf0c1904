/** Owns the texts of the help; the options are with the commands, the variables come from the one table of the configuration. */
import { Help } from 'commander'
import { groupVariables } from '../config/variables.ts'

export interface CommandHelp {
  readonly summary: string
  /** Default: the summary. */
  readonly description?: string
  /** Below the options: examples, and what else there is to know. Lines of at most 80 columns. */
  readonly after: string
}

const planExits = `Exit codes: 0 done, 1 answered with no (apply), 2 differences (plan
--detailed-exitcode), 64 usage, 69 SERVER cannot or will not, 70 bug,
78 configuration.`

const provisionVariables = `etcd and the operator's identity (a user with the role root) come from
ETCD_ENDPOINTS, ETCD_CA_CERT_FILE, ETCD_CERT_FILE and ETCD_KEY_FILE; plan, apply
and export also take the options above, and ETCDCTL_ENDPOINTS, _CACERT, _CERT
and _KEY.
AGENT_CALICO_VERSION narrows the rights to what one version of Calico needs, or
several with commas.`

const vaultVariables = `Vault and the operator's token come from the options above, VAULT_ADDR,
VAULT_CACERT, VAULT_NAMESPACE and VAULT_TOKEN; else from BAO_ADDR and so on, and
~/.vault-token.`

const onEtcd = `${provisionVariables}\n\n${planExits.replace('SERVER', 'etcd')}`
const onVault = `${vaultVariables}\n\n${planExits.replace('SERVER', 'Vault')}`

const helps = {
  run: {
    summary: 'keep every certificate valid until stopped (the default)',
    description: `Obtains a certificate for each target, checks it, publishes it in the target's directory, and renews it long before it expires. Ends only on SIGTERM or SIGINT. SIGHUP, or the command renew, renews every target at once.

Serves /metrics, /startupz, /livez, /readyz and a status page (/) on AGENT_LISTEN.`,
    after: `Examples:
  # two components of one node, with one login
  AGENT_TARGETS=calico-node=/calico-secrets,calico-cni=/cni-secrets \\
    calico-vault-agent
  # on a machine without Kubernetes, readable log
  NODE_NAME=node1 AGENT_AUTH_METHOD=cert AGENT_LOG_FORMAT=pretty \\
    calico-vault-agent run`,
  },
  init: {
    summary: 'make sure that every target has a good certificate, then end',
    description: `Ends with 0 as soon as every target has a good certificate; does not contact Vault if one is in place and not due. Ends with 69 when a target has none after --wait.`,
    after: `Examples:
  # as an init container
  calico-vault-agent init
  # on a machine, before a service is started
  NODE_NAME=node1 calico-vault-agent init --wait 5m`,
  },
  started: {
    summary: 'wait until the agent of this container has published every target',
    description: `Ends with 0 as soon as the agent in this very container answers on AGENT_LISTEN that every target is published, and with 69 when it has not after --wait. On the host's network the pod before may still have the port: its answer does not count. After a startup probe that asks in this way, the port is the agent's own, and /livez and /readyz can be trusted.`,
    after: `Examples:
  kubectl -n kube-system exec ds/calico-node -c calico-vault-agent -- \\
    node /app/main.js started
  calico-vault-agent started --wait 50s`,
  },
  renew: {
    summary: 'renew every target now, by the agent that runs',
    description: `Asks the agent that runs for these targets to renew them at once, as SIGHUP does, by the socket with which it holds each directory. Needs the environment of the agent, and a user who can read its files. Does not wait for the outcome: status shows it.`,
    after: `Examples:
  kubectl -n kube-system exec ds/calico-node -c calico-vault-agent -- \\
    node /app/main.js renew
  # on a machine
  calico-vault-agent renew

Exit codes: 0 asked for, 64 usage, 69 an agent did not take it, 78
configuration.`,
  },
  status: {
    summary: 'show what is published, how long it works, and what failed last',
    description: `Shows for each target its certificate, chain and CA set, age, runway and next renewal, from disk; and the last rotations and failures, if the agent runs on this machine and answers on AGENT_LISTEN. Contacts nobody else. Needs the environment of the agent, and a user who can read its files. The same is on the agent's port: / for people, /status for programs. Watched, JSON is one line a look.`,
    after: `Examples:
  kubectl -n kube-system exec ds/calico-node -c calico-vault-agent -- \\
    node /app/main.js status
  calico-vault-agent status -o json | jq '.targets[].certificate.runwaySeconds'

Exit codes: 0 every target has a certificate that works, 64 usage, 69 one has
none, 78 configuration.`,
  },
  doctor: {
    summary: 'check everything that the agent needs, and say what is wrong',
    description: `Looks at configuration, credential, directory, Vault, PKI role, CA set and etcd with the environment of the agent, before or after it is installed, in its pod or elsewhere. Changes nothing; has one throw-away certificate signed for each target and forgets it. What can be checked is checked, whatever else is missing. docs/doctor.md tells about every check.`,
    after: `Examples:
  kubectl -n kube-system exec ds/calico-node -c calico-vault-agent -- \\
    node /app/main.js doctor
  calico-vault-agent doctor -o json |
    jq '.checks[] | select(.status == "failure")'

Exit codes: 0 all is well, 1 warnings, 64 usage, 69 failures, 70 bug, 78
configuration.`,
  },
  provision: {
    summary: "make etcd's users, roles and grants what Calico's components need",
    after: `Examples:
  # what would change for two nodes with users of their own
  calico-vault-agent provision plan --nodes node1,node2
  # make it so from a script, and switch authentication on
  calico-vault-agent provision apply --nodes-file nodes.txt --enable-auth --yes
  # have it reviewed first
  calico-vault-agent provision export --components calicoctl > etcd.sh
  # keep it so in the cluster
  calico-vault-agent provision watch --grace 2h

${onEtcd}`,
  },
  'provision plan': { summary: 'show what would change in etcd', after: onEtcd },
  'provision apply': {
    summary: 'change it',
    description: 'Changes in etcd what plan shows. Safe to be killed and to be run again, also twice at once.',
    after: onEtcd,
  },
  'provision export': {
    summary: 'print the same as a shell script, without contacting etcd',
    description: 'Prints the same as a shell script of etcdctl commands, without contacting etcd.',
    after: '',
  },
  'provision watch': {
    summary: 'keep it so while nodes come and go, until SIGTERM',
    description:
      'Keeps it so while nodes come and go, until SIGTERM: the nodes of the Kubernetes cluster that it runs in, or of --nodes-file. With VAULT_ADDR its own certificate comes from Vault (component calico-provisioner, AGENT_*).',
    after: provisionVariables,
  },
  'setup-vault': {
    summary: 'make Vault what the agent needs: PKI, roles, policies, logins',
    after: `Examples:
  # what would change
  calico-vault-agent setup-vault plan --file cluster1.yaml
  # make it so from a script
  calico-vault-agent setup-vault apply --file cluster1.yaml --yes
  # have it reviewed first, and keep it in git
  calico-vault-agent setup-vault export --format terraform > vault.tf

${onVault}`,
  },
  'setup-vault plan': { summary: 'show what would change in Vault', after: onVault },
  'setup-vault apply': {
    summary: 'change it',
    description: 'Changes in Vault what plan shows. Safe to be killed and to be run again, also twice at once.',
    after: onVault,
  },
  'setup-vault export': {
    summary: 'print the same for review and for other tools',
    description: 'Prints the same for review and for other tools, without contacting Vault.',
    after: '',
  },
  'rotate-ca': {
    summary: 'put a new CA in the place of the old one, step by step',
    description:
      'Makes or names the new issuer, waits until every agent publishes both CAs, makes it the default, waits until no certificate chains to the old one, and deletes that. Keeps nothing of its own: killed and run again, it goes on from what Vault and the agents say. Until the old issuer is deleted, naming it as --issuer takes everything back. Restarts nobody. docs/ca-rotation.md has the whole procedure.',
    after: `Examples:
  # which step it is, and what each agent has
  calico-vault-agent rotate-ca status --agents node1,node2
  # a new root CA of ten years, up to where etcd must trust it
  calico-vault-agent rotate-ca apply --issuer second \\
    --common-name 'Calico etcd clients 2' --agents node1,node2
  # after that; the fleet's metrics from Prometheus
  calico-vault-agent rotate-ca apply --issuer second --retire first \\
    --etcd-trusts-new --prometheus http://prometheus:9090 \\
    --nodes-file nodes.txt --yes
  # back
  calico-vault-agent rotate-ca apply --issuer first --retire second \\
    --etcd-trusts-new --agents node1,node2

${onVault}`,
  },
  'rotate-ca plan': { summary: 'show the next step', after: onVault },
  'rotate-ca apply': {
    summary: 'go from step to step, waiting for the agents in between',
    description:
      'Shows each step, asks, makes it, and waits for the agents. Ends where somebody else must do something, and says what. Safe to be killed and to be run again, also twice at once.',
    after: onVault,
  },
  'rotate-ca status': {
    summary: 'show which step it is, and what each agent has and needs',
    after: vaultVariables,
  },
} as const satisfies Record<string, CommandHelp>

export type HelpName = keyof typeof helps
export const commandHelp: Readonly<Record<HelpName, CommandHelp>> = helps

const variableWidth = 27

/** What follows the commands in the general help. */
export function variablesHelp(columns: number): string {
  const help = new Help()
  help.helpWidth = columns
  const lines = groupVariables().flatMap(({ title, variables }) => {
    const items = variables.map(([name, { meaning, default: value, defaultText }]) => {
      const shown = defaultText ?? value
      const text = `${meaning}${shown === undefined || shown === '' ? '' : ` [${shown}]`}`
      return help.formatItem(name, variableWidth, text, help)
    })
    return ['', `${title}:`, ...items]
  })
  return `
Everything is configured by environment variables. VAULT_ADDR and NODE_NAME are
enough if Vault is set up by setup-vault, as the manifests have it.
${lines.join('\n')}

Examples:
  # everything by the recommended names
  VAULT_ADDR=https://vault:8200 VAULT_CACERT=/etc/vault/ca.pem NODE_NAME=node1 \\
    calico-vault-agent
  # one certificate now, then end
  VAULT_ADDR=https://vault:8200 NODE_NAME=node1 AGENT_DIR=/etc/calico/certs \\
    calico-vault-agent init --wait 2m
  # what etcd's users lack
  calico-vault-agent provision plan --nodes node1,node2

A failure is named by a code, such as vault-sealed: docs/runbook.md has a
section for each.
Exit codes: 0 done, 1 warnings (doctor) or answered with no (apply),
2 differences (plan --detailed-exitcode), 64 usage, 69 unavailable, 70 bug,
78 configuration, 141 nobody reads what is printed.`
}
