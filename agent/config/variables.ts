/** Owns the list of environment variables: the one source for the parser's defaults, for `--help` and for the documentation. */

export interface Variable {
  readonly default?: string
  /** What stands in the default column of the documentation where the default is not a constant. */
  readonly defaultText?: string
  readonly meaning: string
}

export const variables = {
  VAULT_ADDR: { meaning: 'URL of Vault or OpenBao; https, or http to loopback. Required but with AGENT_SOURCE=file' },
  VAULT_CACERT: { meaning: 'file with the CA certificates that Vault is verified with; read again when it changes' },
  VAULT_CACERT_BYTES: { meaning: 'the same as PEM text; wins over VAULT_CACERT' },
  VAULT_CLIENT_CERT: { meaning: 'client certificate for TLS to Vault; read again when it changes' },
  VAULT_CLIENT_KEY: { meaning: 'its private key' },
  VAULT_TLS_SERVER_NAME: { meaning: "name that Vault's certificate is verified for" },
  VAULT_NAMESPACE: { meaning: 'namespace (Vault Enterprise, OpenBao)' },
  VAULT_CLIENT_TIMEOUT: { default: '60s', meaning: 'deadline of one request' },
  VAULT_TOKEN: { meaning: "the token, where AGENT_AUTH_METHOD=token; setup-vault: an administrator's" },
  NODE_NAME: {
    defaultText: 'host name outside Kubernetes',
    meaning: 'name of the node, from the downward API (spec.nodeName)',
  },
  AGENT_AUTH_METHOD: { default: 'kubernetes', meaning: 'kubernetes, jwt, approle, cert or token' },
  AGENT_AUTH_MOUNT: { defaultText: 'name of the method', meaning: 'path of the auth mount' },
  AGENT_AUTH_ROLE: { defaultText: "first target's component", meaning: 'role to log in with' },
  AGENT_AUTH_TOKEN_FILE: {
    default: '/var/run/secrets/kubernetes.io/serviceaccount/token',
    meaning: 'service-account token, read again before every login',
  },
  AGENT_AUTH_ROLE_ID_FILE: { meaning: 'approle: file with the role id' },
  AGENT_AUTH_SECRET_ID_FILE: { meaning: 'approle: file with the secret id' },
  AGENT_VAULT_TOKEN_FILE: { meaning: 'token: file with the token, read again before every use' },
  AGENT_COMPONENT: { default: 'calico-node', meaning: 'component of the single target' },
  AGENT_DIR: { default: '/calico-secrets', meaning: 'directory of the single target' },
  AGENT_TARGETS: {
    meaning: 'several targets, `component=directory,…`; excludes AGENT_COMPONENT and AGENT_DIR',
  },
  AGENT_SOURCE: { default: 'pki', meaning: '`pki`, `kv` or `file`: where certificates come from (docs/sources.md)' },
  AGENT_SOURCE_DIR: { meaning: 'file: directory that somebody else fills; template' },
  AGENT_SOURCE_FIELDS: {
    defaultText: '`certificate=etcd-cert,key=etcd-key,ca=etcd-ca`',
    meaning: 'kv, file: what the parts are called there; `ca=` for none',
  },
  AGENT_SOURCE_POLL: { default: '5m', meaning: 'kv, file: how often the source is looked at, 10s to 24h' },
  AGENT_KV_MOUNT: { default: 'secret', meaning: 'kv: path of the mount' },
  AGENT_KV_PATH: { default: 'calico/{node}/{component}', meaning: 'kv: path of the secret below the mount; template' },
  AGENT_KV_VERSION: { default: '2', meaning: 'kv: version of the engine, 1 or 2' },
  AGENT_PKI_MOUNT: { default: 'pki', meaning: 'path of the PKI mount' },
  AGENT_PKI_ROLE: { default: '{component}', meaning: 'PKI role; template' },
  AGENT_COMMON_NAME: { default: '{component}:{node}', meaning: 'common name = etcd user; template' },
  AGENT_CLUSTER: { default: '', meaning: 'name of the cluster, for templates and renewal slots' },
  AGENT_TTL: { default: '24h', meaning: 'lifetime to ask for; the PKI role may grant less' },
  AGENT_RENEW_AT: {
    default: '0.65',
    meaning: 'period of renewal as a fraction of the granted lifetime, 0.3 to 0.85',
  },
  AGENT_ISSUANCE_BUDGET: {
    defaultText: '12, or 4 times the schedule',
    meaning: 'certificates that each target may have made within an hour; `off`',
  },
  AGENT_KEY_TYPE: { default: 'ec-p256', meaning: 'ec-p256, ec-p384, rsa-2048, rsa-4096 or ed25519' },
  AGENT_KEY_REUSE: { default: '0', meaning: 'how many rotations may keep the private key' },
  AGENT_FILE_MODE: { default: '0400', meaning: 'mode of etcd-key and etcd-cert; etcd-ca is 0444' },
  AGENT_FILE_UID: { defaultText: "the agent's", meaning: 'owner of the files' },
  AGENT_FILE_GID: { defaultText: "the agent's", meaning: 'group of the files' },
  AGENT_ETCD_CA_FILE: { meaning: "CA of etcd's servers where it is not Vault's; joined into etcd-ca" },
  AGENT_ETCD_PROBE: {
    default: 'off',
    meaning: '`warn` or `require`: ask etcd before publishing whether it accepts the certificate',
  },
  AGENT_LISTEN: { default: '0.0.0.0:9879', meaning: 'address of health and metrics; `off`' },
  AGENT_INLINE_AUTH: { default: 'off', meaning: '`on`: log in and sign in one request (OpenBao 2.4 or newer)' },
  AGENT_LOG_LEVEL: { default: 'info', meaning: 'debug, info, warn or error' },
  AGENT_LOG_FORMAT: { default: 'json', meaning: 'json or pretty' },
  AGENT_STATE_DIR: { meaning: 'node-local cache (0700) that survives the pod' },
  AGENT_BOOTSTRAP_DIR: { meaning: 'static Secret to start from when Vault cannot be reached' },
  AGENT_HOST_CNI_DIR: { meaning: "the host's /etc/cni/net.d as mounted here: keeps the CNI plugin's copy in step" },
  AGENT_HOST_CNI_COMPONENT: { default: 'calico-cni', meaning: 'target whose certificate the CNI plugin uses' },
  AGENT_ALLOW_PLAIN_HTTP: { default: 'false', meaning: '`true`: http to Vault on other hosts, for tests only' },
  ETCD_ENDPOINTS: { meaning: 'provision, probe: `https://host:port,…` of etcd, as Calico has it' },
  ETCD_CA_CERT_FILE: { meaning: "provision: CA of etcd's server certificates" },
  ETCD_CERT_FILE: { meaning: "provision: the operator's certificate; its common name is a user with the role root" },
  ETCD_KEY_FILE: { meaning: 'provision: its private key' },
  AGENT_KUBERNETES_DIR: {
    default: '/var/run/secrets/kubernetes.io/serviceaccount',
    meaning: 'provision watch: token and ca.crt for the Kubernetes API',
  },
  AGENT_CALICO_VERSION: {
    defaultText: 'all supported ones',
    meaning:
      'provision, doctor: version of Calico, such as v3.32.1, or several with commas; users get only what they need',
  },
} as const satisfies Record<string, Variable>

export type VariableName = keyof typeof variables

/** Variables of Vault's CLI whose silent absence of effect would be dangerous. */
export const refusedVariables: Readonly<Record<string, string>> = {
  VAULT_SKIP_VERIFY: 'is refused: Vault is always verified; name its CA in VAULT_CACERT',
  VAULT_CAPATH: 'is not supported; name one file with all CA certificates in VAULT_CACERT',
  VAULT_AGENT_ADDR: 'is not supported; name the address in VAULT_ADDR',
}

/**
 * Names that Kubernetes injects into every container for a Service called `agent` or `agent-…` (service links): they are
 * not ours and must not stop the agent.
 * @see https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
 */
export function isServiceLink(name: string, value: string): boolean {
  // The value tells the link AGENT_WEB_PORT=tcp://10.0.0.1:80 from a mistake such as AGENT_LISTEN_PORT=9879.
  if (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value)) return true
  return /_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/.test(name)
}

/** The known name nearest to a mistyped one (edit distance of at most a third of its length), or undefined. */
export function suggestName(name: string, names: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.ceil(name.length / 3) + 1
  for (const candidate of names) {
    const distance = editDistance(name, candidate)
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

/** Levenshtein distance, one row at a time. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[to.length] ?? 0
}
