/** Owns how a login is tied to a pod, a node or a machine in each auth method, and what its token may then do. */
import {
  type ApproleAuth,
  type ComponentSetup,
  type Fields,
  type JwtAuth,
  type KubernetesAuth,
  loginsOf,
  policyName,
  type Resource,
  type Setup,
} from './setup.ts'

export function loginResources(setup: Setup): Resource[] {
  switch (setup.auth.method) {
    case 'jwt':
      return jwtLogins(setup, setup.auth)
    case 'kubernetes':
      return kubernetesLogins(setup, setup.auth)
    case 'approle':
      return approleLogins(setup, setup.auth)
  }
}

function jwtLogins(setup: Setup, { mount, issuer, audience, keys }: JwtAuth): Resource[] {
  const sources =
    'files' in keys
      ? { jwt_validation_pubkeys: keys.files, jwks_url: '', jwks_ca_pem: '' }
      : { jwt_validation_pubkeys: [], jwks_url: keys.url, jwks_ca_pem: keys.ca ?? '' }
  const config = { bound_issuer: issuer, default_role: '', oidc_discovery_url: '', ...sources }
  const roles = [...loginsOf(setup)].map(([{ name, namespace, serviceAccount, pods, perNode }, signs]) =>
    loginRole(setup, name, signs, {
      role_type: 'jwt',
      bound_audiences: [audience],
      bound_subject: `system:serviceaccount:${namespace}:${serviceAccount}`,
      // One entity for each node: a shared one would carry the name of whichever node logged in last.
      user_claim: perNode ? '/kubernetes.io/node/name' : 'sub',
      user_claim_json_pointer: perNode,
      claim_mappings: perNode ? { '/kubernetes.io/node/name': 'node_name', '/kubernetes.io/node/uid': 'node_uid' } : {},
      // A token that is bound to a Node object, or to nothing, has no pod: many may create such tokens, for any node.
      bound_claims_type: 'glob',
      bound_claims: { '/kubernetes.io/pod/name': pods },
      clock_skew_leeway: 0,
      expiration_leeway: 0,
      not_before_leeway: 0,
    }),
  )
  return [authConfig(mount, config), ...roles]
}

function kubernetesLogins(setup: Setup, { mount, url, ca, reviewerToken, audience }: KubernetesAuth): Resource[] {
  const config = {
    kubernetes_host: url,
    kubernetes_ca_cert: ca ?? '',
    disable_local_ca_jwt: reviewerToken !== undefined,
    ...(reviewerToken && { token_reviewer_jwt: reviewerToken }),
  }
  const roles = [...loginsOf(setup)].map(([{ name, namespace, serviceAccount }, signs]) =>
    loginRole(setup, name, signs, {
      bound_service_account_names: [serviceAccount],
      bound_service_account_namespaces: [namespace],
      alias_name_source: 'serviceaccount_uid',
      audience,
    }),
  )
  return [authConfig(mount, config), ...roles]
}

/** The role id is the alias of the login, and so the node of the common name: a role for each machine, named after it. */
function approleLogins(setup: Setup, { nodes }: ApproleAuth): Resource[] {
  const withRoleId = (name: string, signs: readonly ComponentSetup[], node?: { node: string }): Resource[] => {
    const role = loginRole(setup, name, signs, { bind_secret_id: true })
    const fields = { role_id: name }
    const path = `${role.path}/role-id`
    const subject = `role id of ${setup.auth.mount}/${name}`
    return [
      { ...role, ...node },
      { kind: 'role-id', subject, path, fields, ...node },
    ]
  }
  const perNode = setup.components.filter((component) => component.perNode)
  const machines = perNode.length === 0 ? [] : nodes
  const others = [...loginsOf(setup)].filter(([component]) => !component.perNode)
  return [
    ...machines.flatMap((node) => withRoleId(node, perNode, { node })),
    ...others.flatMap(([{ name }, signs]) => withRoleId(name, signs)),
  ]
}

function authConfig(mount: string, fields: Fields): Resource {
  return { kind: 'auth-config', subject: `configuration of auth ${mount}`, path: `auth/${mount}/config`, fields }
}

/** Batch tokens: nothing is stored for them, and they cannot be renewed. token_bound_cidrs is left to the operator. */
function loginRole(setup: Setup, name: string, signs: readonly ComponentSetup[], binding: Fields): Resource {
  const { mount, tokenTtlSeconds } = setup.auth
  return {
    kind: 'login-role',
    subject: `login role ${mount}/${name}`,
    path: `auth/${mount}/role/${name}`,
    fields: {
      ...binding,
      token_type: 'batch',
      token_ttl: tokenTtlSeconds,
      token_max_ttl: tokenTtlSeconds,
      token_explicit_max_ttl: 0,
      token_period: 0,
      token_num_uses: 0,
      token_no_default_policy: true,
      token_policies: signs.map((each) => policyName(setup, each.name)),
    },
  }
}
