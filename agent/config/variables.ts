/**
 * The one table of environment variables: the default, the meaning, the section of the documentation, and which choice a variable
 * belongs to. The parser, `--help` and docs/configuration.md all read it.
 */

import { calicoVariables } from './calico-variables.ts'
import { onPublishVariables } from './on-publish-variables.ts'
import { vaultVariables } from './vault-variables.ts'

/** Sections of `--help` and docs/configuration.md, in the order in which a reader needs them. */
const groupTitles = ['Vault', 'Login', 'Certificate', 'Files', 'etcd', 'Operation'] as const

/** Where certificates come from, and how the agent logs in: the two choices that other variables belong to. */
export const choices = {
  AGENT_SOURCE: ['pki', 'kv', 'file'],
  AGENT_AUTH_METHOD: ['jwt', 'kubernetes', 'approle', 'cert', 'token'],
} as const

export interface Variable {
  readonly group: (typeof groupTitles)[number]
  readonly default?: string
  /** The default column of the documentation, if the default is not a constant. */
  readonly defaultText?: string
  readonly meaning: string
  /** The choices that read this variable. Set with another choice it would have no effect, and is refused. */
  readonly onlyFor?: { readonly [Selector in keyof typeof choices]?: readonly (typeof choices)[Selector][number][] }
  /** The variable without which this one has no effect. */
  readonly needs?: string
}

/** The sources that ask Vault. */
const vaultSources = ['pki', 'kv'] as const

export const variables = {
  ...vaultVariables,
  AGENT_AUTH_METHOD: {
    group: 'Login',
    default: 'jwt',
    meaning: 'jwt, kubernetes, approle, cert or token',
    onlyFor: { AGENT_SOURCE: vaultSources },
  },
  AGENT_AUTH_MOUNT: {
    group: 'Login',
    defaultText: 'name of the method',
    meaning: 'path of the auth mount',
    onlyFor: { AGENT_SOURCE: vaultSources, AGENT_AUTH_METHOD: ['jwt', 'kubernetes', 'approle', 'cert'] },
  },
  AGENT_AUTH_ROLE: {
    group: 'Login',
    defaultText: "first target's component",
    meaning: 'role to log in with',
    onlyFor: { AGENT_SOURCE: vaultSources, AGENT_AUTH_METHOD: ['jwt', 'kubernetes', 'cert'] },
  },
  AGENT_AUTH_TOKEN_FILE: {
    group: 'Login',
    default: '/var/run/secrets/kubernetes.io/serviceaccount/token',
    meaning: 'service-account token, read again before every login',
    onlyFor: { AGENT_SOURCE: vaultSources, AGENT_AUTH_METHOD: ['jwt', 'kubernetes'] },
  },
  AGENT_AUTH_ROLE_ID_FILE: {
    group: 'Login',
    meaning: 'approle: file with the role id',
    onlyFor: { AGENT_SOURCE: vaultSources, AGENT_AUTH_METHOD: ['approle'] },
  },
  AGENT_AUTH_SECRET_ID_FILE: {
    group: 'Login',
    meaning: 'approle: file with the secret id',
    onlyFor: { AGENT_SOURCE: vaultSources, AGENT_AUTH_METHOD: ['approle'] },
  },
  AGENT_VAULT_TOKEN_FILE: {
    group: 'Login',
    meaning: 'token: file with the token, read again before every use',
    onlyFor: { AGENT_SOURCE: vaultSources, AGENT_AUTH_METHOD: ['token'] },
  },
  AGENT_INLINE_AUTH: {
    group: 'Login',
    default: 'off',
    meaning: '`on`: log in and sign in one request (OpenBao 2.4 or newer)',
    onlyFor: { AGENT_SOURCE: vaultSources },
  },
  NODE_NAME: {
    group: 'Certificate',
    defaultText: 'host name outside Kubernetes',
    meaning: 'name of the node, from the downward API (spec.nodeName)',
  },
  AGENT_PKI_MOUNT: {
    group: 'Certificate',
    default: 'pki',
    meaning: 'path of the PKI mount',
    onlyFor: { AGENT_SOURCE: ['pki'] },
  },
  AGENT_PKI_ROLE: {
    group: 'Certificate',
    default: '{component}',
    meaning: 'PKI role; template',
    onlyFor: { AGENT_SOURCE: ['pki'] },
  },
  AGENT_COMMON_NAME: {
    group: 'Certificate',
    defaultText: '{component}:{node}, or {component} if it runs once in a cluster',
    meaning: 'common name = etcd user; template',
  },
  AGENT_CLUSTER: { group: 'Certificate', default: '', meaning: 'name of the cluster, for templates and renewal slots' },
  AGENT_TTL: {
    group: 'Certificate',
    default: '24h',
    meaning: 'lifetime to ask for; the PKI role may grant less',
    onlyFor: { AGENT_SOURCE: ['pki'] },
  },
  AGENT_RENEW_AT: {
    group: 'Certificate',
    default: '0.65',
    meaning: 'period of renewal as a fraction of the granted lifetime, 0.3 to 0.85',
    onlyFor: { AGENT_SOURCE: ['pki'] },
  },
  AGENT_ISSUANCE_BUDGET: {
    group: 'Certificate',
    defaultText: '12, or 4 times the schedule',
    meaning: 'how many certificates each target may get within an hour; `off`',
    onlyFor: { AGENT_SOURCE: ['pki'] },
  },
  AGENT_KEY_TYPE: {
    group: 'Certificate',
    default: 'ec-p256',
    meaning: 'ec-p256, ec-p384, rsa-2048, rsa-4096 or ed25519',
    onlyFor: { AGENT_SOURCE: ['pki'] },
  },
  AGENT_KEY_REUSE: {
    group: 'Certificate',
    default: '0',
    meaning: 'how many rotations may keep the private key',
    onlyFor: { AGENT_SOURCE: ['pki'] },
  },
  AGENT_COMPONENT: { group: 'Files', default: 'calico-node', meaning: 'component of the single target' },
  AGENT_DIR: { group: 'Files', default: '/calico-secrets', meaning: 'directory of the single target' },
  AGENT_TARGETS: {
    group: 'Files',
    meaning: 'several targets, `component=directory,…`; excludes AGENT_COMPONENT and AGENT_DIR',
  },
  AGENT_FILE_MODE: { group: 'Files', default: '0400', meaning: 'mode of etcd-key and etcd-cert; etcd-ca is 0444' },
  AGENT_FILE_UID: { group: 'Files', defaultText: "the agent's", meaning: 'owner of the files' },
  AGENT_FILE_GID: { group: 'Files', defaultText: "the agent's", meaning: 'group of the files' },
  AGENT_ETCD_CA_FILE: { group: 'Files', meaning: "CA of etcd's servers if it is not the PKI CA; joined into etcd-ca" },
  AGENT_STATE_DIR: { group: 'Files', meaning: 'node-local cache (0700) that survives the pod' },
  AGENT_BOOTSTRAP_DIR: { group: 'Files', meaning: 'static Secret to start from when Vault cannot be reached' },
  AGENT_HOST_CNI_DIR: {
    group: 'Files',
    meaning: "the host's /etc/cni/net.d as mounted here: keeps the CNI plugin's copy in step",
  },
  AGENT_HOST_CNI_COMPONENT: {
    group: 'Files',
    default: 'calico-cni',
    meaning: 'target whose certificate the CNI plugin uses',
    needs: 'AGENT_HOST_CNI_DIR',
  },
  AGENT_ETCD_PROBE: {
    group: 'etcd',
    default: 'off',
    meaning: '`warn` or `require`: ask etcd before publishing whether it accepts the certificate',
  },
  ETCD_ENDPOINTS: { group: 'etcd', meaning: 'provision, probe: `https://host:port,…` of etcd, as Calico has it' },
  ETCD_CA_CERT_FILE: { group: 'etcd', meaning: "provision: CA of etcd's server certificates" },
  ETCD_CERT_FILE: {
    group: 'etcd',
    meaning: "provision: the operator's certificate; its common name is a user with the role root",
  },
  ETCD_KEY_FILE: { group: 'etcd', meaning: 'provision: its private key' },
  AGENT_KUBERNETES_DIR: {
    group: 'etcd',
    default: '/var/run/secrets/kubernetes.io/serviceaccount',
    meaning: 'provision watch: token and ca.crt for the Kubernetes API',
  },
  ...calicoVariables,
  AGENT_SOURCE: {
    group: 'Operation',
    default: 'pki',
    meaning: '`pki`, `kv` or `file`: where certificates come from (docs/sources.md)',
  },
  AGENT_SOURCE_DIR: {
    group: 'Operation',
    meaning: 'file: directory that somebody else fills; template',
    onlyFor: { AGENT_SOURCE: ['file'] },
  },
  AGENT_SOURCE_FIELDS: {
    group: 'Operation',
    defaultText: '`certificate=etcd-cert,key=etcd-key,ca=etcd-ca`',
    meaning: 'kv, file: the names of the parts there; `ca=` if there is no CA',
    onlyFor: { AGENT_SOURCE: ['kv', 'file'] },
  },
  AGENT_SOURCE_POLL: {
    group: 'Operation',
    default: '5m',
    meaning: 'kv, file: how often the source is checked, 10s to 24h',
    onlyFor: { AGENT_SOURCE: ['kv', 'file'] },
  },
  AGENT_KV_MOUNT: {
    group: 'Operation',
    default: 'secret',
    meaning: 'kv: path of the mount',
    onlyFor: { AGENT_SOURCE: ['kv'] },
  },
  AGENT_KV_PATH: {
    group: 'Operation',
    default: 'calico/{node}/{component}',
    meaning: 'kv: path of the secret below the mount; template',
    onlyFor: { AGENT_SOURCE: ['kv'] },
  },
  AGENT_KV_VERSION: {
    group: 'Operation',
    default: '2',
    meaning: 'kv: version of the engine, 1 or 2',
    onlyFor: { AGENT_SOURCE: ['kv'] },
  },
  ...onPublishVariables,
  AGENT_LISTEN: { group: 'Operation', default: '0.0.0.0:9879', meaning: 'address of health and metrics; `off`' },
  AGENT_LOG_LEVEL: { group: 'Operation', default: 'info', meaning: 'debug, info, warn or error' },
  AGENT_LOG_FORMAT: {
    group: 'Operation',
    defaultText: 'pretty on a terminal, else json',
    meaning: 'json, or pretty for people: the message alone',
  },
  AGENT_RUNBOOK_URL: {
    group: 'Operation',
    defaultText: "the build's, else docs/runbook.md",
    meaning: 'https URL of your copy of docs/runbook.md: what messages link to',
  },
  AGENT_ALLOW_PLAIN_HTTP: {
    group: 'Operation',
    default: 'false',
    meaning: '`true`: http to Vault on other hosts, for tests only',
    onlyFor: { AGENT_SOURCE: vaultSources },
  },
} as const satisfies Record<string, Variable>

export type VariableName = keyof typeof variables

/** The sections with their variables, in the order of the table. */
export function groupVariables() {
  const all: readonly (readonly [string, Variable])[] = Object.entries(variables)
  return groupTitles.map((title) => ({ title, variables: all.filter(([, { group }]) => group === title) }))
}
