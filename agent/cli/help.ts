/** Owns the help texts; the variables come from the one table of the configuration. */
import { groupVariables } from '../config/variables.ts'

export interface CommandHelp {
  readonly summary: string
  readonly text: string
}

export const commandHelp = {
  run: {
    summary: 'keep every target valid for ever (the default)',
    text: `Usage: calico-vault-agent [run]

Obtains a certificate for each target, checks it, publishes it in the target's directory, and renews it long before it
expires. Ends only on SIGTERM or SIGINT. SIGHUP renews every target at once.

Serves /metrics, /startupz, /livez, /readyz and a status page (/) on AGENT_LISTEN.

Examples:
  # two components of one node, with one login
  AGENT_TARGETS=calico-node=/calico-secrets,calico-cni=/cni-secrets calico-vault-agent
  # on a machine without Kubernetes, readable log
  NODE_NAME=node1 AGENT_AUTH_METHOD=cert AGENT_LOG_FORMAT=pretty calico-vault-agent run`,
  },
  init: {
    summary: 'make sure that every target has a good certificate, then end (init container)',
    text: `Usage: calico-vault-agent init [--wait DURATION]

Ends with 0 as soon as every target has a good certificate; does not contact Vault where one is in place and not due.
Ends with 69 when a target has none after --wait (default 60s).

  --wait DURATION   how long to try, such as 30s or 5m

Examples:
  # as an init container
  calico-vault-agent init
  # on a machine, before a service is started
  NODE_NAME=node1 calico-vault-agent init --wait 5m`,
  },
  started: {
    summary: 'wait until the agent of this container has published every target (startup probe)',
    text: `Usage: calico-vault-agent started [--wait DURATION]

Ends with 0 as soon as the agent in this very container answers on AGENT_LISTEN that every target is published, and with 69
when it has not after --wait (default 60s). On the host's network the pod before may still have the port: its answer does
not count. After a startup probe that asks in this way, the port is the agent's own, and /livez and /readyz can be trusted.

  --wait DURATION   how long to wait; as a startup probe, less than its timeoutSeconds

Examples:
  kubectl -n kube-system exec ds/calico-node -c calico-vault-agent -- node /app/main.js started
  calico-vault-agent started --wait 50s`,
  },
  status: {
    summary: 'show what is published, how long it works, and what failed last',
    text: `Usage: calico-vault-agent status [--watch] [--output text|json]

Shows for each target its certificate, chain and CA set, age, runway and next renewal, from disk; and the last rotations and
failures, where the agent runs on this machine and answers on AGENT_LISTEN. Contacts nobody else. With the environment of
the agent, and as a user who can read its files. The same is on the agent's port: / for people, /status for programs.

  --watch              again every two seconds, until SIGINT
  --output text|json   [text]; watched, JSON is one line a look

Examples:
  kubectl -n kube-system exec ds/calico-node -c calico-vault-agent -- node /app/main.js status
  calico-vault-agent status --output json | jq '.targets[].certificate.runwaySeconds'

Exit codes: 0 every target has a certificate that works, 64 usage, 69 one has none, 78 configuration.`,
  },
  doctor: {
    summary: 'check everything that the agent needs, and say what is wrong and what to do',
    text: `Usage: calico-vault-agent doctor [--no-sign] [--consumer UID[:GID]] [--output text|json]

Looks at configuration, credential, directory, Vault, PKI role, CA set and etcd with the environment of the agent, before
or after it is installed, in its pod or elsewhere. Changes nothing; has one throw-away certificate signed for each target
and forgets it. What can be checked is checked, whatever else is missing. docs/doctor.md tells about every check.

  --no-sign            have no certificate signed; etcd is then asked with the published one
  --consumer UID[:GID] who reads the files, where it is not the user of Calico's own image
  --output text|json   [text]

Examples:
  kubectl -n kube-system exec ds/calico-node -c calico-vault-agent -- node /app/main.js doctor
  calico-vault-agent doctor --output json | jq '.checks[] | select(.status == "failure")'

Exit codes: 0 all is well, 1 warnings, 64 usage, 69 failures, 70 bug, 78 configuration.`,
  },
  provision: {
    summary: "make etcd's users, roles and grants what Calico's components need",
    text: `Usage: calico-vault-agent provision plan|apply|export|watch [options]

plan    shows what would change in etcd. Ends with 0 where all is in step, with 2 where something differs.
apply   does it. Safe to be killed and to be run again, also twice at once.
export  prints the same as a shell script of etcdctl commands, without contacting etcd.
watch   keeps it so while nodes come and go, until SIGTERM: the nodes of the Kubernetes cluster that it runs in, or of
        --nodes-file. With VAULT_ADDR its own certificate comes from Vault (component calico-provisioner, AGENT_*).

  --components a,b     whom to make users for
                       [calico-node,calico-cni,calico-kube-controllers,calicoctl]
  --naming component   one user a component (default), or
  --naming node        one user a component and node, whose writes reach only that node's own keys
  --nodes n1,n2        the nodes, with --naming node
  --nodes-file FILE    the same, one name a line; - is standard input
  --grace DURATION     how long a node's users stay after the node is gone [1h] (watch)
  --resync DURATION    how often everything is looked at [10m] (watch)
  --max-busy PERCENT   how much of its time etcd may be kept busy while others write to it [5%]; 100%: no bound
                       (apply, watch)
  --profiles FILE      components of your own, in YAML or JSON (docs/etcd.md)
  --prune              also remove what provision has made and nobody wants any more (plan, apply)
  --strict             with --naming node: without the keys of the whole cluster that calico-node writes only at its first
                       start and at an upgrade (docs/upgrade.md)
  --defaults           also make what a fresh datastore lacks: the pools of CALICO_IPV4POOL_CIDR and CALICO_IPV6POOL_CIDR and
                       the default configurations; never over what exists (plan, apply)
  --enable-auth        also switch authentication on, never locking the operator out (apply, export)
  --yes                do not ask (apply); needed outside a terminal
  --output text|json   [text] (plan, apply)

etcd and the operator's identity (a user with the role root) come from ETCD_ENDPOINTS, ETCD_CA_CERT_FILE, ETCD_CERT_FILE
and ETCD_KEY_FILE. AGENT_CALICO_VERSION narrows the rights to what one version of Calico needs, or several with commas.

Examples:
  # what would change for two nodes with users of their own
  calico-vault-agent provision plan --naming node --nodes node1,node2
  # make it so from a script, and switch authentication on
  calico-vault-agent provision apply --naming node --nodes-file nodes.txt --enable-auth --yes
  # have it reviewed first
  calico-vault-agent provision export --components calico-kube-controllers > etcd.sh
  # keep it so in the cluster
  calico-vault-agent provision watch --grace 2h

Exit codes: 0 done or in step, 2 differences (plan), 64 usage, 69 etcd cannot or will not, 70 bug, 78 configuration.`,
  },
  'setup-vault': {
    summary: 'make Vault what the agent needs: PKI, roles, policies, logins',
    text: `Usage: calico-vault-agent setup-vault plan|apply|export [options]

plan    shows what would change in Vault. Ends with 0 where all is in step, with 2 where something differs.
apply   does it. Safe to be killed and to be run again, also twice at once.
export  prints the same for review and for other tools, without contacting Vault.

  --file FILE          what is wanted, in YAML (docs/vault.md) [setup-vault.yaml]
  --adopt              take over what setup-vault did not make (plan, apply)
  --write-secrets      also write what Vault does not show: the reviewer's token (plan, apply)
  --yes                do not ask (apply); needed outside a terminal
  --output text|json   [text] (plan, apply)
  --format FORMAT      shell: a script of vault commands (default); terraform; hcl: the policies; json: the requests;
                       env: the variables of each agent; operator: a policy for the token of apply (export)

Vault and the operator's token come from VAULT_ADDR, VAULT_CACERT, VAULT_NAMESPACE and VAULT_TOKEN.

Examples:
  # what would change
  calico-vault-agent setup-vault plan --file cluster1.yaml
  # make it so from a script
  calico-vault-agent setup-vault apply --file cluster1.yaml --yes
  # have it reviewed first, and keep it in git
  calico-vault-agent setup-vault export --format terraform > vault.tf

Exit codes: 0 done or in step, 2 differences (plan), 64 usage, 69 Vault cannot or will not, 70 bug, 78 configuration.`,
  },
} as const satisfies Record<string, CommandHelp>

export type CommandName = keyof typeof commandHelp

export function generalHelp(): string {
  const commands = Object.entries(commandHelp).map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`)
  return [
    'Gives every Calico component on every node its own short-lived etcd certificate, signed by Vault or OpenBao.',
    '',
    'Usage: calico-vault-agent [command]',
    '',
    ...commands,
    '',
    '  --help    this text, or that of a command',
    '  --version the version',
    '',
    'Everything is configured by environment variables. VAULT_ADDR and NODE_NAME are enough where Vault is set up by the',
    'recommended names.',
    ...groupedVariables(),
    '',
    'Examples:',
    '  # everything by the recommended names',
    '  VAULT_ADDR=https://vault:8200 VAULT_CACERT=/etc/vault/ca.pem NODE_NAME=node1 AGENT_AUTH_METHOD=jwt calico-vault-agent',
    '  # one certificate now, then end',
    '  VAULT_ADDR=https://vault:8200 NODE_NAME=node1 AGENT_DIR=/etc/calico/certs calico-vault-agent init --wait 2m',
    "  # what etcd's users lack",
    '  calico-vault-agent provision plan --naming node --nodes node1,node2',
    '',
    'A failure is named by a code, such as vault-sealed: docs/runbook.md has a section for each.',
    'Exit codes: 0 done, 1 warnings (doctor), 2 differences (plan), 64 usage, 69 unavailable, 70 bug, 78 configuration.',
  ].join('\n')
}

function groupedVariables(): string[] {
  return groupVariables().flatMap(({ title, variables }) => {
    const lines = variables.map(([name, { meaning, default: value, defaultText }]) => {
      const shown = defaultText ?? value
      return `  ${name.padEnd(27)} ${meaning}${shown === undefined || shown === '' ? '' : ` [${shown}]`}`
    })
    return ['', `${title}:`, ...lines]
  })
}
