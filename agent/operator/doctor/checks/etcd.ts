/** Owns the checks of etcd, asked by the certificate itself: its servers, the user, and the keys that the component needs. */

import { type CalicoVersion, describeCalicoVersion } from '../../../config/calico-version.ts'
import type { Target } from '../../../config/config.ts'
import { commonName } from '../../../pki/certificate.ts'
import { type Finding as EtcdFinding, type ProbeCode, probeCodes } from '../../../sidecar/gate/probe/outcome.ts'
import { openEtcd } from '../../etcd/client.ts'
import { allows, describeRange, type Grant } from '../../etcd/grants.ts'
import { builtInProfiles, type Profile } from '../../etcd/profile-table.ts'
import { type Choice, rightsOf, versionsIn } from '../../etcd/profiles.ts'
import type { Access } from '../access.ts'
import { type Check, failure, hasCode, ok, skipped, type Verdict, warning } from '../check.ts'

/** What is about the connection; all other findings are about the user. */
const aboutServer: readonly ProbeCode[] = [
  'etcd-untrusted-server',
  'etcd-rejected-certificate',
  'etcd-bad-answer',
  'etcd-unheard',
]

export const etcdServer: Check = {
  id: 'etcd-server',
  title: 'TLS to etcd',
  each: 'target',
  needs: ['etcd-ca'],
  run: async (access, target) => {
    const nothing = await nothingToAsk(access, target)
    return nothing ?? judgeMembers(await access.askEtcd(target), aboutServer)
  },
}

export const etcdUser: Check = {
  id: 'etcd-user',
  title: "the certificate's user in etcd",
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

/** A failure if no member says otherwise; a warning if some do, since one of them is enough for the agent. */
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
  title: "the user's rights in etcd",
  each: 'target',
  needs: ['etcd-user'],
  run: async ({ endpoints, versions, presented, config }, target) => {
    const profile = builtInProfiles[target.component]
    if (profile === undefined) return skipped(`there is no profile for ${target.component}`)
    const bundle = await presented(target)
    if (bundle === undefined) return skipped('there is no certificate to show to etcd')
    const { certificate: cert, key, ca } = bundle.text
    const etcd = openEtcd({ endpoints, ca, cert, key, deadlineMs: 3000, patienceMs: 3000 })
    try {
      const user = commonName(bundle.leaf) ?? ''
      const roles = await etcd.rolesOf(user)
      if (roles === undefined) {
        const saw = `there is no user ${user}, and nobody is refused: authentication is off`
        return warning(saw, 'Run provision apply --enable-auth once every user is there (docs/etcd.md).')
      }
      const held = await Promise.all(roles.map(async (role) => (await etcd.grantsOf(role)) ?? []))
      return judgeGrants(profile, target, config.node, versions, { roles, grants: held.flat() })
    } catch (error) {
      // A user may always ask about itself; if the role is root's or the user is another one, etcd says no.
      if (!hasCode(error, 'etcd-denied')) throw error
      return warning(error.message, 'Look at the roles of this user with etcdctl.', 'etcd-denied')
    } finally {
      etcd.close()
    }
  },
}

interface HeldRights {
  /** Names of the roles of the user. */
  readonly roles: readonly string[]
  /** Of all of them. */
  readonly grants: readonly Grant[]
}

/** By the name that provision gives: a component of every node has either one user for all of them or one a node. */
export function wantedGrants(
  profile: Profile,
  { component, commonName: name }: Pick<Target, 'component' | 'commonName'>,
  node: string,
  choice: Omit<Choice, 'naming'>,
): readonly Grant[] {
  const { shared, ofNode } = rightsOf(profile, { ...choice, naming: name === component ? 'component' : 'node' })
  return [...shared, ...ofNode(node)]
}

/**
 * Against the table that `provision` grants by. If the version of Calico is not known, what is enough for any one version is enough.
 * @param versions of Calico; empty if nobody says
 */
export function judgeGrants(
  profile: Profile,
  target: Pick<Target, 'component' | 'commonName'>,
  node: string,
  versions: readonly CalicoVersion[],
  { roles, grants: held }: HeldRights,
): Verdict {
  if (roles.includes('root')) {
    return warning(
      'the user has the role root',
      'Give it only what its component needs: provision apply (docs/etcd.md).',
    )
  }
  const lacking = (choice: Omit<Choice, 'naming'>): readonly Grant[] =>
    wantedGrants(profile, target, node, choice).filter((each) => !allows(held, each))
  const by = `by ${roles.join(', ')}`
  const inAll = lacking({ versions, strict: false })
  if (inAll.length === 0) return ok(`all that is needed ${by}`)
  const tried = versions.length > 0 ? [versions] : versionsIn(profile).map((version) => [version])
  const enough = (strict: boolean): string =>
    tried
      .filter((some) => lacking({ versions: some, strict }).length === 0)
      .flat()
      .map(describeCalicoVersion)
      .join(', ')
  const [relaxed, strict] = [enough(false), enough(true)]
  // With a version in the environment, that was the first question.
  if (relaxed !== '') return ok(`enough for Calico ${relaxed}, ${by}; AGENT_CALICO_VERSION says which one is meant`)
  if (strict !== '') {
    return warning(
      `enough for Calico ${strict} while it runs, ${by}; not for its first start and not for an upgrade (provision --strict)`,
      'Before an upgrade of Calico, run provision apply without --strict (docs/upgrade.md).',
    )
  }
  return failure(
    inAll.map((each) => `lacks ${each.access} ${describeRange(each)}`).join('\n'),
    'etcd-permission-denied',
    'Run provision plan, then apply, with the naming of this common name (docs/etcd.md); AGENT_CALICO_VERSION narrows what is needed.',
  )
}
