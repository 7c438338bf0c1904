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

const planExits = (server: string): string => `Exit codes: 0 done, 1 you answered "no" (apply), 2 differences (plan
--detailed-exitcode), 64 wrong usage, 69 ${server} is unreachable or refuses,
70 bug, 78 wrong configuration.`

const provisionVariables = `etcd and the operator's identity (a user with the role root) come from
ETCD_ENDPOINTS, ETCD_CA_CERT_FILE, ETCD_CERT_FILE and ETCD_KEY_FILE; plan, apply
and export also take the options above, and ETCDCTL_ENDPOINTS, _CACERT, _CERT
and _KEY.
AGENT_CALICO_VERSION narrows the rights to what one version of Calico needs, or
several with commas.`

const vaultVariables = `Vault and the operator's token come from the options above, VAULT_ADDR,
VAULT_CACERT, VAULT_NAMESPACE and VAULT_TOKEN; else from BAO_ADDR and so on, and
~/.vault-token.`

const onEtcd = `${provisionVariables}\n\n${planExits('etcd')}`
const onVault = `${vaultVariables}\n\n${planExits('Vault')}`

export const commandHelp = {
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
    description: `Ends with 0 as soon as every target has a good certificate; does not contact Vault if one is in place and not due. If a target has none after --wait, it ends with 69.`,
    after: `Examples:
  # as an init container
  calico-vault-agent init
  # on a machine, before a service is started
  NODE_NAME=node1 calico-vault-agent init --wait 5m`,
  },
  started: {
    summary: 'wait until the agent of this container has published every target',
    description: `Ends with 0 as soon as the agent in this very container answers on AGENT_LISTEN that every target is published, and with 69 if that does not happen within --wait. On the host's network the previous pod may still have the port, but its answer does not count. After a startup probe that asks in this way, the port is the agent's own, and /livez and /readyz can be trusted.`,
    after: `Examples:
  kubectl -n kube-system exec ds/calico-node -c calico-vault-agent -- \\
    node /app/main.js started
  calico-vault-agent started --wait 50s`,
  },
  renew: {
    summary: 'renew every target now, by the agent that runs',
    description: `Asks the running agent to renew its targets at once, as SIGHUP does, through the socket in each directory. Needs the agent's environment, and a user who can read its files. Does not wait for the result; status shows it.`,
    after: `Examples:
  kubectl -n kube-system exec ds/calico-node -c calico-vault-agent -- \\
    node /app/main.js renew
  # on a machine
  calico-vault-agent renew

Exit codes: 0 the agent was asked, 64 wrong usage, 69 no agent accepted it,
78 wrong configuration.`,
  },
  status: {
    summary: 'show what is published, how long it works, and what failed last',
    description: `Shows for each target its certificate, chain and CA set, age, runway and next renewal, from disk. If the agent runs on this machine and answers on AGENT_LISTEN, it also shows the last rotations and failures. Contacts nothing else. Needs the agent's environment, and a user who can read its files. The agent serves the same on its port: / for people, /status for programs. With --watch, JSON is one line each time.`,
    after: `Examples:
  kubectl -n kube-system exec ds/calico-node -c calico-vault-agent -- \\
    node /app/main.js status
  calico-vault-agent status -o json | jq '.targets[].certificate.runwaySeconds'

Exit codes: 0 every target has a certificate that works, 64 wrong usage, 69 one
has none, 78 wrong configuration.`,
  },
  doctor: {
    summary: 'check everything that the agent needs, and say what is wrong',
    description: `Checks configuration, credential, directory, Vault, PKI role, CA set and etcd with the agent's environment, before or after it is installed, in its pod or elsewhere. Changes nothing. Gets one throw-away certificate signed for each target and forgets it. If something is missing, it still checks everything else. docs/doctor.md describes every check.`,
    after: `Examples:
  kubectl -n kube-system exec ds/calico-node -c calico-vault-agent -- \\
    node /app/main.js doctor
  calico-vault-agent doctor -o json |
    jq '.checks[] | select(.status == "failure")'

Exit codes: 0 all is well, 1 warnings, 64 wrong usage, 69 failures, 70 bug,
78 wrong configuration.`,
  },
  provision: {
    summary: "make the etcd users, roles and grants that Calico's components need",
    after: `Examples:
  # what would change for two nodes with users of their own
  calico-vault-agent provision plan --nodes node1,node2
  # make it so from a script, and switch authentication on
  calico-vault-agent provision apply --nodes-file nodes.txt --enable-auth --yes
  # as a script, to review it first
  calico-vault-agent provision export --components calicoctl > etcd.sh
  # keep it up to date in the cluster
  calico-vault-agent provision watch --grace 2h

${onEtcd}`,
  },
  'provision plan': { summary: 'show what would change in etcd', after: onEtcd },
  'provision apply': {
    summary: 'change it',
    description: 'Changes in etcd what plan shows. You can kill it and run it again, even twice at the same time.',
    after: onEtcd,
  },
  'provision export': {
    summary: 'print the same as a shell script, without contacting etcd',
    description: 'Prints the same as a shell script of etcdctl commands, without contacting etcd.',
    after: '',
  },
  'provision watch': {
    summary: 'keep etcd up to date while nodes come and go, until SIGTERM',
    description:
      'Keeps etcd up to date while nodes come and go, until SIGTERM. The nodes are those of the Kubernetes cluster that it runs in, or of --nodes-file. With VAULT_ADDR its own certificate comes from Vault (component calico-provisioner, AGENT_*).',
    after: provisionVariables,
  },
  'setup-vault': {
    summary: 'set up the PKI, roles, policies and logins that the agent needs in Vault',
    after: `Examples:
  # what would change
  calico-vault-agent setup-vault plan --file cluster1.yaml
  # make it so from a script
  calico-vault-agent setup-vault apply --file cluster1.yaml --yes
  # as Terraform, to review it first and keep it in git
  calico-vault-agent setup-vault export --format terraform > vault.tf

${onVault}`,
  },
  'setup-vault plan': { summary: 'show what would change in Vault', after: onVault },
  'setup-vault apply': {
    summary: 'change it',
    description: 'Changes in Vault what plan shows. You can kill it and run it again, even twice at the same time.',
    after: onVault,
  },
  'setup-vault export': {
    summary: 'print the same for review and for other tools',
    description: 'Prints the same for review and for other tools, without contacting Vault.',
    after: '',
  },
  'rotate-ca': {
    summary: 'replace the old CA by a new one, step by step',
    description:
      'Makes or names the new issuer, waits until every agent publishes both CAs, makes it the default, waits until no certificate chains to the old one, and deletes that. It keeps no state of its own. If it is killed and run again, it goes on from what Vault and the agents say. Until the old issuer is deleted, you can go back by naming it as --issuer. It restarts nothing. docs/ca-rotation.md has the whole procedure.',
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
      'Shows each step, asks, makes it, and waits for the agents. If somebody must do something first, it says what and ends. You can kill it and run it again, even twice at the same time.',
    after: onVault,
  },
  'rotate-ca status': {
    summary: 'show which step it is, and what each agent has and needs',
    after: vaultVariables,
  },
} as const satisfies Record<string, CommandHelp>

export type HelpName = keyof typeof commandHelp

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
Environment variables configure everything. If setup-vault has set up Vault, and
the pod is as in the manifests, VAULT_ADDR and NODE_NAME are enough.
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

Every failure has a code, such as vault-sealed. docs/runbook.md has a section
for each code.
Exit codes: 0 done, 1 warnings (doctor) or you answered "no" (apply),
2 differences (plan --detailed-exitcode), 64 wrong usage, 69 a service is
unavailable, 70 bug, 78 wrong configuration, 141 nobody reads the output.`
}
