/** Owns the checks of etcd, asked by the certificate itself: its servers, the user, and the keys that the component needs. */

import type { CalicoVersion } from '../../config/calico-version.ts'
import type { Target } from '../../config/config.ts'
import { AgentError } from '../../errors.ts'
import { openEtcd } from '../../etcd/client.ts'
import { contains, describeRange, type Grant, isWithin } from '../../etcd/grants.ts'
import { builtInProfiles, type Profile } from '../../etcd/profile-table.ts'
import { grantsOf } from '../../etcd/profiles.ts'
import type { Finding as EtcdFinding, ProbeCode } from '../../gate/probe/outcome.ts'
import { probeCodes } from '../../gate/probe/outcome.ts'
import { commonName } from '../../pki/certificate.ts'
import type { Access } from '../access.ts'
import { type Check, failure, ok, skipped, type Verdict, warning } from '../check.ts'

/** What is about the connection; all other findings are about the user. */
const aboutServer: readonly ProbeCode[] = [
  'etcd-untrusted-server',
  'etcd-rejected-certificate',
  'etcd-bad-answer',
  'etcd-unheard',
]

export const etcdServer: Check = {
  id: 'etcd-server',
  title: 'etcd and the certificate accept each other',
  each: 'target',
  needs: ['etcd-ca'],
  run: async (access, target) => {
    const nothing = await nothingToAsk(access, target)
    return nothing ?? judgeMembers(await access.askEtcd(target), aboutServer)
  },
}

export const etcdUser: Check = {
  id: 'etcd-user',
  title: "etcd knows the certificate's user",
  each: 'target',
  needs: ['etcd-server'],
  run: async (access, target) => {
    const heard = (await access.askEtcd(target)).filter(({ code }) => !isAbout(code, aboutServer))
    return judgeMembers(
      heard,
      probeCodes.filter((code) => !aboutServer.includes(code)),
    )
  },
}

async function nothingToAsk({ endpoints, presented }: Access, target: Target): Promise<Verdict | undefined> {
  if (endpoints.length === 0) return skipped('ETCD_ENDPOINTS is not set')
  return (await presented(target)) === undefined ? skipped('there is no certificate to show to etcd') : undefined
}

function isAbout(code: EtcdFinding['code'], codes: readonly ProbeCode[]): boolean {
  return codes.some((each) => each === code)
}

/** A failure where no member says otherwise; a warning where some do, as one of them is enough for the agent. */
export function judgeMembers(findings: readonly EtcdFinding[], about: readonly ProbeCode[]): Verdict {
  const bad = findings.filter(({ code }) => isAbout(code, about))
  const saw = findings.map(({ detail }) => detail).join('\n')
  const code = about.find((each) => bad.some((finding) => finding.code === each))
  if (code === undefined) return ok(saw)
  if (bad.length === findings.length) return failure(saw, code)
  return { ...failure(saw, code), status: 'warning' }
}

export const etcdKeys: Check = {
  id: 'etcd-keys',
  title: 'the user has the keys that the component needs',
  each: 'target',
  needs: ['etcd-user'],
  run: async ({ endpoints, version, presented, config }, target) => {
    const wanted = wantedGrants(builtInProfiles[target.component], target, config.node, version)
    if (wanted === undefined) return skipped(`there is no profile of ${target.component}`)
    const bundle = await presented(target)
    if (bundle === undefined) return skipped('there is no certificate to show to etcd')
    const { certificate: cert, key, ca } = bundle.text
    const etcd = openEtcd({ endpoints, ca, cert, key: key.reveal(), deadlineMs: 3000, patienceMs: 3000 })
    try {
      const user = commonName(bundle.leaf) ?? ''
      const roles = await etcd.rolesOf(user)
      if (roles === undefined) {
        const saw = `there is no user ${user}, and nobody is refused: authentication is off`
        return warning(saw, 'Run provision apply --enable-auth once every user is there (docs/etcd.md).')
      }
      const held = await Promise.all(roles.map(async (role) => (await etcd.grantsOf(role)) ?? []))
      return judgeGrants(wanted, held.flat(), roles)
    } catch (error) {
      // A user may always ask about itself; where the role is root's or the user is another one, etcd says no.
      if (!(error instanceof AgentError) || error.code !== 'etcd-denied') throw error
      return warning(error.message, 'Look at the roles of this user with etcdctl.', 'etcd-denied')
    } finally {
      etcd.close()
    }
  },
}

/** By the name that provision gives: a component of every node has either one user for all of them or one a node. */
export function wantedGrants(
  profile: Profile | undefined,
  { component, commonName: name }: Pick<Target, 'component' | 'commonName'>,
  node: string,
  version: CalicoVersion | undefined,
): readonly Grant[] | undefined {
  if (profile === undefined) return undefined
  const { shared, ofNode } = grantsOf(profile, name === component ? 'component' : 'node', version)
  return [...shared, ...ofNode(node)]
}

/** @param held of all roles of the user; etcd allows what any single one of them covers */
export function judgeGrants(wanted: readonly Grant[], held: readonly Grant[], roles: readonly string[]): Verdict {
  if (roles.includes('root')) {
    return warning(
      'the user has the role root',
      'Give it only what its component needs: provision apply (docs/etcd.md).',
    )
  }
  const lacking = wanted.filter(
    (each) => !held.some((grant) => contains(grant, each) && isWithin(each.access, grant.access)),
  )
  if (lacking.length === 0) return ok(`${wanted.length} of ${wanted.length} by ${roles.join(', ')}`)
  const shown = lacking.map((each) => `lacks ${each.access} ${describeRange(each)}`)
  return failure(
    shown.join('\n'),
    'etcd-permission-denied',
    'Run provision plan, then apply, with the naming of this common name (docs/etcd.md); AGENT_CALICO_VERSION narrows what is needed.',
  )
}
