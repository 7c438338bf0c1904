/** Owns the wrong values of the variables that say where certificates come from: wrong-values.test.ts runs them. */
import type { Environment } from '../../../agent/config/reader.ts'
import type { VariableName } from '../../../agent/config/variables.ts'

const kv: Environment = { AGENT_SOURCE: 'kv' }
const file: Environment = { AGENT_SOURCE: 'file', AGENT_SOURCE_DIR: '/delivered' }
const twoTargets = 'calico-node=/calico-secrets,calico-cni=/calico-secrets-cni'

export const wrongSources: readonly (readonly [VariableName, Environment, RegExp | string])[] = [
  ['AGENT_SOURCE', { AGENT_SOURCE: 'vault' }, 'is "vault"; it must be one of pki, kv, file'],
  ['AGENT_SOURCE_DIR', { AGENT_SOURCE: 'file' }, /^is required with AGENT_SOURCE=file/],
  ['AGENT_SOURCE_DIR', { ...file, AGENT_SOURCE_DIR: 'delivered' }, /it must be an absolute path$/],
  ['AGENT_SOURCE_DIR', { ...file, AGENT_SOURCE_DIR: '/x/{name}' }, /knows no \{name\}; there are \{component\}/],
  ['AGENT_SOURCE_DIR', { ...file, AGENT_SOURCE_DIR: '/x/{cluster}' }, 'uses {cluster}: set AGENT_CLUSTER'],
  ['AGENT_SOURCE_DIR', { ...file, AGENT_SOURCE_DIR: '/x/{node_uid}' }, /which only a service-account token has$/],
  ['AGENT_SOURCE_DIR', { ...file, AGENT_TARGETS: twoTargets }, /^gives two targets the same place; use \{component\}/],
  ['AGENT_SOURCE_DIR', { ...file, AGENT_SOURCE_DIR: '/calico-secrets/' }, /the directory of calico-node; name another/],
  ['AGENT_SOURCE_DIR', { ...kv, AGENT_SOURCE_DIR: '/x' }, 'has no effect with AGENT_SOURCE=kv; it belongs to file'],
  ['AGENT_SOURCE_FIELDS', { AGENT_SOURCE_FIELDS: 'key=a' }, /with AGENT_SOURCE=pki; it belongs to kv, file$/],
  ['AGENT_SOURCE_FIELDS', { ...kv, AGENT_SOURCE_FIELDS: 'cert=tls.crt' }, /^has "cert=tls.crt"; it must be like cert/],
  ['AGENT_SOURCE_FIELDS', { ...kv, AGENT_SOURCE_FIELDS: 'key=' }, /^has "key="; it must be like certificate=tls.crt/],
  ['AGENT_SOURCE_FIELDS', { ...kv, AGENT_SOURCE_FIELDS: 'key=../key' }, /^has "key=..\/key"; it must be like/],
  ['AGENT_SOURCE_FIELDS', { ...kv, AGENT_SOURCE_FIELDS: 'key=..' }, /it must be like/],
  ['AGENT_SOURCE_FIELDS', { ...kv, AGENT_SOURCE_FIELDS: 'key=a=b' }, /it must be like/],
  ['AGENT_SOURCE_FIELDS', { ...kv, AGENT_SOURCE_FIELDS: 'key=etcd-ca' }, 'gives two parts the same name'],
  ['AGENT_SOURCE_FIELDS', { ...kv, AGENT_SOURCE_FIELDS: 'ca=' }, /^has no ca: name the file .* AGENT_ETCD_CA_FILE$/],
  ['AGENT_SOURCE_POLL', { ...kv, AGENT_SOURCE_POLL: '1s' }, /it must be a duration such as .* from 10s to 24h$/],
  ['AGENT_SOURCE_POLL', { AGENT_SOURCE_POLL: '1m' }, /with AGENT_SOURCE=pki; it belongs to kv, file$/],
  ['AGENT_KV_MOUNT', { ...kv, AGENT_KV_MOUNT: '/secret/' }, /^is "\/secret\/"; it must be a path such as pki/],
  ['AGENT_KV_MOUNT', { AGENT_KV_MOUNT: 'secret' }, 'has no effect with AGENT_SOURCE=pki; it belongs to kv'],
  [
    'AGENT_KV_PATH',
    { ...kv, AGENT_KV_PATH: 'a//{node}' },
    /^is "a\/\/node1"; it must be a path such as calico\/\{node\}/,
  ],
  ['AGENT_KV_PATH', { ...kv, AGENT_KV_PATH: '../{node}' }, /it must be a path such as/],
  ['AGENT_KV_PATH', { ...kv, AGENT_KV_PATH: '{host}' }, /knows no \{host\}/],
  ['AGENT_KV_PATH', { ...kv, AGENT_KV_PATH: '{node}', AGENT_TARGETS: twoTargets }, /^gives two targets the same place/],
  [
    'AGENT_KV_PATH',
    { ...kv, AGENT_KV_PATH: 'n/{node_uid}', AGENT_AUTH_METHOD: 'token', VAULT_TOKEN: 'hvs.a' },
    'uses {node_uid}, which only a service-account token has',
  ],
  ['AGENT_KV_PATH', { ...file, AGENT_KV_PATH: 'x' }, 'has no effect with AGENT_SOURCE=file; it belongs to kv'],
  ['AGENT_KV_VERSION', { ...kv, AGENT_KV_VERSION: '3' }, 'is "3"; it must be one of 2, 1'],
  ['AGENT_KV_VERSION', { AGENT_KV_VERSION: '1' }, /it belongs to kv$/],
  ['AGENT_PKI_MOUNT', { ...kv, AGENT_PKI_MOUNT: 'pki' }, 'has no effect with AGENT_SOURCE=kv; it belongs to pki'],
  ['AGENT_PKI_ROLE', { ...kv, AGENT_PKI_ROLE: 'x' }, /it belongs to pki$/],
  ['AGENT_TTL', { ...file, AGENT_TTL: '1h' }, /it belongs to pki$/],
  ['AGENT_RENEW_AT', { ...file, AGENT_RENEW_AT: '0.5' }, /it belongs to pki$/],
  ['AGENT_KEY_TYPE', { ...kv, AGENT_KEY_TYPE: 'ed25519' }, /it belongs to pki$/],
  ['AGENT_KEY_REUSE', { ...kv, AGENT_KEY_REUSE: '1' }, /it belongs to pki$/],
  ['AGENT_ISSUANCE_BUDGET', { ...kv, AGENT_ISSUANCE_BUDGET: '5' }, /AGENT_SOURCE=kv; it belongs to pki$/],
  ['AGENT_ALLOW_PLAIN_HTTP', { ...file, AGENT_ALLOW_PLAIN_HTTP: 'true' }, /AGENT_SOURCE=file; it belongs to pki, kv$/],
  ['AGENT_AUTH_METHOD', { ...file, AGENT_AUTH_METHOD: 'jwt' }, /with AGENT_SOURCE=file; it belongs to pki, kv$/],
  ['AGENT_INLINE_AUTH', { ...file, AGENT_INLINE_AUTH: 'on' }, /with AGENT_SOURCE=file; it belongs to pki, kv$/],
  ['AGENT_AUTH_ROLE', { ...file, AGENT_AUTH_ROLE: 'x' }, /with AGENT_SOURCE=file; it belongs to pki, kv$/],
  ['AGENT_COMMON_NAME', { ...file, AGENT_COMMON_NAME: '{component}:{node_uid}' }, /there is no login$/],
  ['AGENT_BOOTSTRAP_DIR', { AGENT_BOOTSTRAP_DIR: 'static' }, /it must be an absolute path$/],
  ['AGENT_BOOTSTRAP_DIR', { AGENT_BOOTSTRAP_DIR: '/calico-secrets' }, /^would use \/calico-secrets, the directory of/],
]
