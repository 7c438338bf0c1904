/**
 * Owns switching authentication on without locking anybody out: everything that can be known before is checked before; what
 * can only be seen after (does etcd take the user from the certificate?) is tried with a way back that needs no certificate.
 */
import { AgentError, messageOf } from '../../core/errors.ts'
import type { EtcdBootstrapApi } from './api.ts'
import { rootRole } from './plan.ts'

export interface BootstrapOptions {
  /** Common name of the operator's certificate. */
  readonly operator: string
  /** One for each endpoint, so that every member has been asked. */
  readonly members: readonly { readonly endpoint: string; readonly api: EtcdBootstrapApi }[]
  /** Whether this member ends a TLS handshake without a client certificate. */
  readonly demandsCertificate: (endpoint: string) => Promise<boolean>
  /**
   * For the user that can only switch authentication off again. Derived from the operator's private key, so that a second
   * run of the same operator finds the way back that a killed one left.
   */
  readonly password: string
  readonly withPassword: (user: string) => EtcdBootstrapApi & { close(): void }
  readonly log: (text: string) => void
}

/** Never the name of a component: those have no slash. */
export const wayBackUser = 'calico-vault-agent/way-back'

const registry = '/registry/'

/** @param reachesRegistry whether some wanted user may write Kubernetes' keys */
export async function enableAuth(
  api: EtcdBootstrapApi,
  options: BootstrapOptions,
  reachesRegistry: boolean,
): Promise<void> {
  const { operator, members, log } = options
  if (operator === '') throw lockout("the operator's certificate has no common name: etcd would know it as nobody")
  await checkMembers(options)
  if (!reachesRegistry && (await api.count(registry)) > 0) {
    throw lockout(
      `etcd also holds Kubernetes (${registry}*), and no wanted user may use it: kube-apiserver would lose its etcd. Add the component kube-apiserver, or a profile with the common name of its certificate`,
    )
  }
  // etcd only switches authentication on when the user root has the role root.
  for (const user of new Set([rootRole, operator])) {
    await api.addRole(rootRole)
    await api.addUser(user)
    await api.assignRole(user, rootRole)
    if (!(await api.rolesOf(user))?.includes(rootRole)) throw lockout(`the user ${user} did not get the role root`)
  }
  log(`the user ${operator} of the operator's certificate has the role root`)
  // Anew: a killed run of another operator would have left one with another password.
  await api.deleteUser(wayBackUser)
  await api.addUserWithPassword(wayBackUser, options.password)
  await api.assignRole(wayBackUser, rootRole)
  await api.enableAuth()
  log('authentication is on; trying the operator on every member')
  try {
    for (const member of members) await member.api.users()
  } catch (error) {
    await goBack(api, options)
    throw lockout(
      `authentication was switched on and off again: the operator was not let in (${messageOf(error)}). Start every member with --client-cert-auth`,
    )
  }
  await api.deleteUser(wayBackUser)
}

/**
 * After a run that was killed in the middle: takes the way back if the operator is shut out, and removes it if not.
 * @param denied whether etcd has just refused the operator
 */
export async function finishBootstrap(
  api: EtcdBootstrapApi,
  options: BootstrapOptions,
  denied: boolean,
): Promise<void> {
  if (!denied) return await api.deleteUser(wayBackUser)
  await goBack(api, options)
  options.log('an earlier run was killed and had left the operator shut out: authentication is off again')
}

async function goBack(api: EtcdBootstrapApi, { withPassword }: BootstrapOptions): Promise<void> {
  const back = withPassword(wayBackUser)
  try {
    await back.disableAuth()
  } finally {
    back.close()
  }
  // By certificate: a login with a password is an error now, and everybody may do everything again.
  await api.deleteUser(wayBackUser)
}

async function checkMembers({ members, demandsCertificate }: BootstrapOptions): Promise<void> {
  for (const { endpoint, api } of members) {
    try {
      await api.users()
    } catch (error) {
      throw lockout(`${endpoint} could not be asked (${messageOf(error)}): every member must be up for this`)
    }
    if (!(await demandsCertificate(endpoint))) {
      throw lockout(
        `${endpoint} lets clients in without a certificate: start it with --client-cert-auth and --trusted-ca-file`,
      )
    }
  }
}

function lockout(why: string): AgentError {
  return new AgentError('etcd-lockout', why)
}
