/**
 * Owns switching authentication on without locking anybody out: everything that can be known before is checked before; what
 * can only be seen after (does etcd take the user from the certificate?) is tried with a way back that needs no certificate.
 */
import { connect } from 'node:tls'
import { AgentError, messageOf } from '../../core/errors.ts'
import type { EtcdBootstrapApi } from './api.ts'
import { rootRole } from './plan.ts'

export interface BootstrapOptions {
  /** Common name of the operator's certificate. */
  readonly operator: string
  /** One for each endpoint, so that every member has been asked. */
  readonly members: readonly { readonly endpoint: string; readonly api: EtcdBootstrapApi }[]
  /** CA certificates of the members, PEM. */
  readonly ca: string
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

async function checkMembers({ members, ca }: BootstrapOptions): Promise<void> {
  for (const { endpoint, api } of members) {
    try {
      await api.users()
    } catch (error) {
      throw lockout(`${endpoint} could not be asked (${messageOf(error)}): every member must be up for this`)
    }
    if (!(await demandsCertificate(endpoint, ca))) {
      throw lockout(
        `${endpoint} lets clients in without a certificate: start it with --client-cert-auth and --trusted-ca-file`,
      )
    }
  }
}

function lockout(why: string): AgentError {
  return new AgentError('etcd-lockout', why)
}

const handshakeMs = 5000
/** RFC 9113, 3.4: the preface and an empty SETTINGS frame. The server's own SETTINGS is the answer. */
const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
])

/**
 * Whether a member refuses clients that show no certificate.
 *
 * In TLS 1.3 the client's side of the handshake is done before the server has looked for a certificate (RFC 8446, 2): only
 * data from the server says that it went on without one.
 */
export function demandsCertificate(endpoint: string, ca: string): Promise<boolean> {
  const { hostname, port } = new URL(endpoint)
  const host = hostname.replace(/^\[|\]$/g, '')
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), ca, rejectUnauthorized: true, ALPNProtocols: ['h2'] })
    const end = (demands: boolean): void => {
      resolve(demands)
      socket.destroy()
    }
    socket.setTimeout(handshakeMs, () => end(true))
    socket.on('secureConnect', () => socket.write(preface))
    socket.on('data', () => end(false))
    socket.on('error', () => end(true))
    socket.on('close', () => end(true))
  })
}
