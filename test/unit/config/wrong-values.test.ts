/** Every variable wrong, missing or contradictory: one message that names it and says what to do. */
import { expect, test } from 'vitest'
import type { Environment } from '../../../agent/config/reader.ts'
import { variables } from '../../../agent/config/variables.ts'
import { problemsOf } from './environment.ts'
import { wrongSources } from './wrong-sources.ts'
import { wrongVault } from './wrong-vault.ts'

const approle: Environment = { AGENT_AUTH_METHOD: 'approle', AGENT_AUTH_ROLE_ID_FILE: '/r/role-id' }
const staticToken: Environment = { AGENT_AUTH_METHOD: 'token', VAULT_TOKEN: 'hvs.abc' }
const clientCertificate: Environment = { VAULT_CLIENT_CERT: '/tls/tls.crt', VAULT_CLIENT_KEY: '/tls/tls.key' }
const probe: Environment = { AGENT_ETCD_PROBE: 'require' }
const twoTargets = 'calico-node=/calico-secrets,calico-cni=/calico-secrets-cni'

/** The variable that the message starts with, the environment, and the rest of the message. */
const cases: readonly (readonly [keyof typeof variables, Environment, RegExp | string])[] = [
  ...wrongVault,
  ['VAULT_CLIENT_CERT', { VAULT_CLIENT_CERT: '/tls/tls.crt' }, /^and VAULT_CLIENT_KEY belong together/],
  ['VAULT_CLIENT_CERT', { VAULT_CLIENT_KEY: '/tls/tls.key' }, /^and VAULT_CLIENT_KEY belong together/],
  ['VAULT_CLIENT_CERT', { ...clientCertificate, VAULT_CLIENT_CERT: 'tls.crt' }, /it must be an absolute path$/],
  ['VAULT_CLIENT_KEY', { ...clientCertificate, VAULT_CLIENT_KEY: './tls.key' }, /it must be an absolute path$/],
  ['VAULT_CLIENT_CERT', { AGENT_AUTH_METHOD: 'cert' }, 'is required with AGENT_AUTH_METHOD=cert'],
  ['VAULT_TLS_SERVER_NAME', { VAULT_TLS_SERVER_NAME: 'https://vault' }, /it must be a host name, without scheme/],
  ['VAULT_NAMESPACE', { VAULT_NAMESPACE: 'team a' }, /it must be a path such as team\/platform, without spaces/],
  ['VAULT_NAMESPACE', { VAULT_NAMESPACE: 'a\nX-Vault-Token: b' }, /it must be a path/],
  ['VAULT_CLIENT_TIMEOUT', { VAULT_CLIENT_TIMEOUT: 'soon' }, /it must be a duration such as 24h, 90s .*0.1s to 10m$/],
  ['VAULT_CLIENT_TIMEOUT', { VAULT_CLIENT_TIMEOUT: '0' }, /it must be a duration/],
  ['VAULT_CLIENT_TIMEOUT', { VAULT_CLIENT_TIMEOUT: '1h' }, /it must be a duration/],
  [
    'AGENT_AUTH_METHOD',
    { AGENT_AUTH_METHOD: 'ldap' },
    /^is "ldap"; it must be one of jwt, kubernetes, approle, cert, /,
  ],
  ['AGENT_AUTH_METHOD', { AGENT_AUTH_METHOD: 'Kubernetes' }, /it must be one of jwt, kubernetes/],
  ['AGENT_AUTH_MOUNT', { AGENT_AUTH_MOUNT: '/kubernetes' }, /it must be a path such as pki or team\/pki, without sl/],
  ['AGENT_AUTH_MOUNT', { AGENT_AUTH_MOUNT: 'a/../b' }, /it must be a path/],
  [
    'AGENT_AUTH_MOUNT',
    { ...staticToken, AGENT_AUTH_MOUNT: 'k8s' },
    /^has no effect with AGENT_AUTH_METHOD=token; it bel/,
  ],
  ['AGENT_AUTH_ROLE', { ...approle, AGENT_AUTH_ROLE: 'a' }, /approle; it belongs to jwt, kubernetes, cert$/],
  ['AGENT_AUTH_TOKEN_FILE', { AGENT_AUTH_TOKEN_FILE: 'token' }, /it must be an absolute path$/],
  ['AGENT_AUTH_TOKEN_FILE', { ...approle, AGENT_AUTH_TOKEN_FILE: '/token' }, /it belongs to jwt, kubernetes$/],
  ['AGENT_AUTH_ROLE_ID_FILE', { AGENT_AUTH_METHOD: 'approle' }, 'is required with approle'],
  ['AGENT_AUTH_ROLE_ID_FILE', { ...approle, AGENT_AUTH_ROLE_ID_FILE: 'role-id' }, /it must be an absolute path$/],
  ['AGENT_AUTH_ROLE_ID_FILE', { AGENT_AUTH_ROLE_ID_FILE: '/role-id' }, /jwt; it belongs to approle$/],
  ['AGENT_AUTH_SECRET_ID_FILE', { ...approle, AGENT_AUTH_SECRET_ID_FILE: 'id' }, /it must be an absolute path$/],
  ['AGENT_AUTH_SECRET_ID_FILE', { AGENT_AUTH_SECRET_ID_FILE: '/id' }, /it belongs to approle$/],
  ['VAULT_TOKEN', { AGENT_AUTH_METHOD: 'token' }, /^or AGENT_VAULT_TOKEN_FILE is required .*: one of them$/],
  ['VAULT_TOKEN', { ...staticToken, AGENT_VAULT_TOKEN_FILE: '/token' }, /^or AGENT_VAULT_TOKEN_FILE is required/],
  ['VAULT_TOKEN', { ...staticToken, VAULT_TOKEN: 'hvs.a\nb' }, /it must be one token$/],
  ['VAULT_TOKEN', { VAULT_TOKEN: 'hvs.abc' }, /^has no effect with AGENT_AUTH_METHOD=jwt; it belongs to token$/],
  ['AGENT_VAULT_TOKEN_FILE', { AGENT_AUTH_METHOD: 'token', AGENT_VAULT_TOKEN_FILE: 't' }, /it must be an absolute/],
  ['AGENT_VAULT_TOKEN_FILE', { AGENT_VAULT_TOKEN_FILE: '/token' }, /it belongs to token$/],
  [
    'NODE_NAME',
    { NODE_NAME: undefined, KUBERNETES_SERVICE_HOST: '10.0.0.1' },
    /downward API \(fieldRef: spec.nodeName\)/,
  ],
  ['NODE_NAME', { NODE_NAME: 'node/1' }, /^is "node\/1"; it must be the name of a node/],
  ['NODE_NAME', { NODE_NAME: '{cluster}' }, /it must be the name of a node/],
  ['NODE_NAME', { NODE_NAME: 'n'.repeat(254) }, /it must be the name of a node/],
  ['AGENT_COMPONENT', { AGENT_COMPONENT: 'calico node' }, /^has the component "calico node"; use letters, digits/],
  ['AGENT_COMPONENT', { AGENT_COMPONENT: 'c'.repeat(64) }, /\(at most 63\)$/],
  ['AGENT_DIR', { AGENT_DIR: 'secrets' }, 'is "secrets"; it must be an absolute path'],
  [
    'AGENT_TARGETS',
    { AGENT_TARGETS: 'calico-node' },
    'has "calico-node"; each target is component=/absolute/directory',
  ],
  ['AGENT_TARGETS', { AGENT_TARGETS: 'a=b' }, /each target is component=\/absolute\/directory$/],
  ['AGENT_TARGETS', { AGENT_TARGETS: 'a=/b,' }, /^has ""; each target is/],
  ['AGENT_TARGETS', { AGENT_TARGETS: 'a=/b=c' }, /each target is/],
  ['AGENT_TARGETS', { AGENT_TARGETS: '=/b' }, /each target is/],
  ['AGENT_TARGETS', { AGENT_TARGETS: 'a b=/b' }, /^has the component "a b"; use letters/],
  ['AGENT_TARGETS', { AGENT_TARGETS: 'a=/a,a=/b' }, 'names the component a twice'],
  ['AGENT_TARGETS', { AGENT_TARGETS: 'a=/x/y,b=/x//y/' }, 'names the directory /x/y twice'],
  [
    'AGENT_TARGETS',
    { AGENT_TARGETS: 'a=/a', AGENT_COMPONENT: 'b' },
    /^and AGENT_COMPONENT exclude each other; keep one/,
  ],
  ['AGENT_TARGETS', { AGENT_TARGETS: 'a=/a', AGENT_DIR: '/b' }, /^and AGENT_DIR exclude each other; keep one/],
  ['AGENT_PKI_MOUNT', { AGENT_PKI_MOUNT: 'pki/' }, /it must be a path such as pki or team\/pki/],
  ['AGENT_PKI_MOUNT', { AGENT_PKI_MOUNT: 'pki?list=true' }, /it must be a path/],
  ['AGENT_PKI_ROLE', { AGENT_PKI_ROLE: '{node_uid}' }, 'cannot use {node_uid}: a role serves every node'],
  ['AGENT_PKI_ROLE', { AGENT_PKI_ROLE: '{role}' }, /knows no \{role\}; there are \{component\}, \{node\}/],
  ['AGENT_PKI_ROLE', { AGENT_PKI_ROLE: 'a/{component}' }, /^is "a\/\{component\}"; use letters, digits/],
  ['AGENT_PKI_ROLE', { AGENT_PKI_ROLE: '{cluster}-{component}' }, 'uses {cluster}: set AGENT_CLUSTER'],
  ['AGENT_COMMON_NAME', { AGENT_COMMON_NAME: '{host}' }, /knows no \{host\}; there are/],
  ['AGENT_COMMON_NAME', { AGENT_COMMON_NAME: '{node' }, /has a brace without its partner$/],
  ['AGENT_COMMON_NAME', { AGENT_COMMON_NAME: 'a\tb' }, /it must be one line without control characters$/],
  ['AGENT_COMMON_NAME', { AGENT_COMMON_NAME: '{cluster}:{node}' }, 'uses {cluster}: set AGENT_CLUSTER'],
  [
    'AGENT_COMMON_NAME',
    { ...approle, AGENT_COMMON_NAME: '{node_uid}' },
    /only a service-account token has; the method is/,
  ],
  [
    'AGENT_COMMON_NAME',
    { AGENT_TARGETS: twoTargets, AGENT_COMMON_NAME: '{node}' },
    /same name; use \{component\} in it$/,
  ],
  ['AGENT_CLUSTER', { AGENT_CLUSTER: 'prod {node}' }, /^is "prod \{node\}"; use letters, digits/],
  ['AGENT_TTL', { AGENT_TTL: '1d' }, 'is "1d"; it must be a duration such as 24h, 90s or seconds, from 5s to 87600h'],
  ['AGENT_TTL', { AGENT_TTL: '4999ms' }, /it must be a duration/],
  ['AGENT_TTL', { AGENT_TTL: '9'.repeat(400) }, /it must be a duration/],
  ['AGENT_RENEW_AT', { AGENT_RENEW_AT: '0.29' }, 'is "0.29"; it must be a decimal number from 0.3 to 0.85'],
  ['AGENT_RENEW_AT', { AGENT_RENEW_AT: '65%' }, /it must be a decimal number/],
  ['AGENT_KEY_TYPE', { AGENT_KEY_TYPE: 'rsa' }, /it must be one of ec-p256, ec-p384, rsa-2048, rsa-4096, ed25519$/],
  ['AGENT_KEY_REUSE', { AGENT_KEY_REUSE: '1.5' }, 'is "1.5"; it must be a whole number from 0 to 1000'],
  ['AGENT_KEY_REUSE', { AGENT_KEY_REUSE: '-1' }, /it must be a whole number/],
  ['AGENT_FILE_MODE', { AGENT_FILE_MODE: 'rw' }, /it must be an octal mode such as 0400 or 0440$/],
  ['AGENT_FILE_MODE', { AGENT_FILE_MODE: '0444' }, /a private key must not be open to everybody on the node$/],
  ['AGENT_FILE_MODE', { AGENT_FILE_MODE: '0040' }, /the owner must be able to read the files$/],
  ['AGENT_FILE_MODE', { AGENT_FILE_MODE: '0460' }, /nobody but the agent may write the files/],
  ['AGENT_FILE_MODE', { AGENT_FILE_MODE: '0500' }, /nobody executes them$/],
  ['AGENT_FILE_UID', { AGENT_FILE_UID: 'calico' }, 'is "calico"; it must be a whole number from 0 to 4294967294'],
  ['AGENT_FILE_GID', { AGENT_FILE_GID: '4294967295' }, /it must be a whole number/],
  ['AGENT_ETCD_CA_FILE', { AGENT_ETCD_CA_FILE: 'etcd.pem' }, /it must be an absolute path$/],
  ['AGENT_ETCD_PROBE', { AGENT_ETCD_PROBE: 'on' }, 'is "on"; it must be one of off, warn, require'],
  [
    'ETCD_ENDPOINTS',
    { AGENT_ETCD_PROBE: 'warn' },
    "is required with AGENT_ETCD_PROBE=warn: https://host:port of etcd's members, separated by commas",
  ],
  ['ETCD_ENDPOINTS', { ...probe, ETCD_ENDPOINTS: 'http://10.0.0.1:2379' }, /without TLS etcd knows no common names/],
  ['ETCD_ENDPOINTS', { ...probe, ETCD_ENDPOINTS: '10.0.0.1:2379' }, 'has "10.0.0.1:2379"; each is https://host:port'],
  ['ETCD_ENDPOINTS', { ...probe, ETCD_ENDPOINTS: 'https://10.0.0.1' }, /; each is https:\/\/host:port$/],
  ['ETCD_ENDPOINTS', { ...probe, ETCD_ENDPOINTS: 'https://10.0.0.1:2379,' }, 'has ""; each is https://host:port'],
  ['ETCD_ENDPOINTS', { ...probe, ETCD_ENDPOINTS: 'https://10.0.0.1:0' }, /; each is https:/],
  ['ETCD_ENDPOINTS', { ...probe, ETCD_ENDPOINTS: 'https://10.0.0.1:99999' }, /; each is https:/],
  ['ETCD_ENDPOINTS', { ...probe, ETCD_ENDPOINTS: 'https://[:::::]:2379' }, /; each is https:/],
  ['ETCD_ENDPOINTS', { ...probe, ETCD_ENDPOINTS: 'https://root:pw@10.0.0.1:2379' }, /; each is https:/],
  ['ETCD_ENDPOINTS', { ...probe, ETCD_ENDPOINTS: 'https://10.0.0.1:2379/v3' }, /; each is https:/],
  [
    'AGENT_LISTEN',
    { AGENT_LISTEN: '9879' },
    /^is "9879"; it must be host:port such as 0.0.0.0:9879 or \[::\]:9879, or off$/,
  ],
  ['AGENT_LISTEN', { AGENT_LISTEN: '0.0.0.0:65536' }, /it must be host:port/],
  ['AGENT_LISTEN', { AGENT_LISTEN: ':::9879' }, /it must be host:port/],
  ['AGENT_LISTEN', { AGENT_LISTEN: '[::g]:9879' }, /it must be host:port/],
  ['AGENT_LISTEN', { AGENT_LISTEN: '[:::::]:9879' }, /it must be host:port/],
  ['AGENT_INLINE_AUTH', { AGENT_INLINE_AUTH: 'true' }, 'is "true"; it must be one of off, on'],
  [
    'AGENT_INLINE_AUTH',
    { ...staticToken, AGENT_INLINE_AUTH: 'on' },
    /^has nothing to log in with: the method is token$/,
  ],
  ['AGENT_LOG_LEVEL', { AGENT_LOG_LEVEL: 'verbose' }, /it must be one of debug, info, warn, error$/],
  ['AGENT_RUNBOOK_URL', { AGENT_RUNBOOK_URL: 'docs/runbook.md' }, /it must be an http or https URL without a frag/],
  ['AGENT_RUNBOOK_URL', { AGENT_RUNBOOK_URL: 'https://me:pass@wiki/r' }, /^holds a user or a password/],
  ['AGENT_RUNBOOK_URL', { AGENT_RUNBOOK_URL: 'https://wiki/r#x' }, /it must be an http or https URL without a frag/],
  ['AGENT_LOG_FORMAT', { AGENT_LOG_FORMAT: 'text' }, /it must be one of json, pretty$/],
  ['AGENT_STATE_DIR', { AGENT_STATE_DIR: 'state' }, /it must be an absolute path$/],
  ['AGENT_STATE_DIR', { AGENT_STATE_DIR: '/calico-secrets/' }, /the directory of calico-node; name another directory$/],
  ['AGENT_STATE_DIR', { AGENT_STATE_DIR: '/x', AGENT_DIR: '/x/calico-node' }, /^would use \/x\/calico-node, the dir/],
  ...['0', '1001', '-1', '1.5', 'none'].map(
    (value) =>
      [
        'AGENT_ISSUANCE_BUDGET',
        { AGENT_ISSUANCE_BUDGET: value },
        /must be a whole number from 1 to 1000, or off$/,
      ] as const,
  ),
  ['AGENT_HOST_CNI_DIR', { AGENT_HOST_CNI_DIR: 'net.d', AGENT_COMPONENT: 'calico-cni' }, /must be an absolute path$/],
  [
    'AGENT_HOST_CNI_DIR',
    { AGENT_HOST_CNI_DIR: '/a/', AGENT_COMPONENT: 'calico-cni', AGENT_DIR: '/a/calico-tls' },
    'would copy into /a/calico-tls, the directory of a target; name another directory',
  ],
  [
    'AGENT_HOST_CNI_COMPONENT',
    { AGENT_HOST_CNI_DIR: '/a' },
    'is "calico-cni", which is no target of this agent (calico-node)',
  ],
  ['AGENT_HOST_CNI_COMPONENT', { AGENT_HOST_CNI_COMPONENT: 'calico-node' }, 'has no effect without AGENT_HOST_CNI_DIR'],
  ['AGENT_ON_PUBLISH', { AGENT_ON_PUBLISH: 'systemctl restart felix' }, /"systemctl"; it must be an absolute path$/],
  [
    'AGENT_ON_PUBLISH',
    { AGENT_ON_PUBLISH: 'https://127.0.0.1/x' },
    /must be http on 127\.0\.0\.1, \[::1\] or localhost/,
  ],
  ['AGENT_ON_PUBLISH', { AGENT_ON_PUBLISH: 'SIGKILL:/run/x.pid' }, /the signal "SIGKILL"; it must be one of SIGHUP, /],
  ['AGENT_ON_PUBLISH_WHEN', { AGENT_ON_PUBLISH_WHEN: 'ca-only' }, 'has no effect without AGENT_ON_PUBLISH'],
  [
    'AGENT_ON_PUBLISH_TIMEOUT',
    { AGENT_ON_PUBLISH: '/bin/true', AGENT_ON_PUBLISH_TIMEOUT: '1h' },
    /must be a duration such as 24h, 90s or seconds, from 1s to 10m$/,
  ],
  ...wrongSources,
]

test.each(cases)('%s in %j', (name, environment, message) => {
  const problems = problemsOf(environment)
  expect(problems).toHaveLength(1)
  expect(problems[0]).toMatch(new RegExp(`^${name} `))
  expect(problems[0]?.slice(name.length + 1)).toMatch(message)
})

test('the cases leave no variable out', () => {
  const covered = new Set<string>(cases.map(([name]) => name))
  // Those of `provision` are not the agent's: watch.test.ts here, and the tests of the commands.
  const others = Object.entries(variables).filter(([, { meaning }]) => meaning.startsWith('provision'))
  // Whatever it holds: what matches nobody is no mistake.
  covered.add('NO_PROXY')
  for (const [name] of others) covered.add(name)
  expect(Object.keys(variables).filter((name) => !covered.has(name))).toEqual([])
})

test('every message is one line of bearable length', () => {
  for (const [, environment] of cases) {
    for (const problem of problemsOf(environment)) {
      expect(problem).not.toMatch(/\n/)
      expect(problem.length).toBeLessThan(240)
    }
  }
})

test('all problems come at once, in one error', () => {
  const problems = problemsOf({
    VAULT_ADDR: 'vault',
    AGENT_ALLOW_PLAIN_HTTP: 'perhaps',
    AGENT_DIR: 'here',
    AGENT_TTL: 'long',
    AGENT_KEY_TYPE: 'dsa',
    AGENT_FILE_MODE: '777',
    AGENT_LISTEN: 'x',
    AGENT_TTTL: '1h',
    VAULT_SKIP_VERIFY: 'true',
  })
  const named = new Set(problems.map((problem) => problem.split(' ', 1)[0]))
  expect(problems).toHaveLength(named.size)
  expect([...named]).toEqual(
    expect.arrayContaining([
      'AGENT_ALLOW_PLAIN_HTTP',
      'AGENT_DIR',
      'AGENT_FILE_MODE',
      'AGENT_KEY_TYPE',
      'AGENT_LISTEN',
      'AGENT_TTL',
      'AGENT_TTTL',
      'VAULT_ADDR',
      'VAULT_SKIP_VERIFY',
    ]),
  )
})
