/**
 * Owns judging what the roles of a user grant against the table that `provision` grants by. The version of Calico may not be
 * known here: then what is enough for any one version is enough.
 */
import { type CalicoVersion, describeCalicoVersion } from '../../config/calico-version.ts'
import type { Target } from '../../config/config.ts'
import { allows, describeRange, type Grant } from '../etcd/grants.ts'
import type { Profile } from '../etcd/profile-table.ts'
import { type Choice, rightsOf, versionsIn } from '../etcd/profiles.ts'
import { failure, ok, type Verdict, warning } from './check.ts'

export interface HeldRights {
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

/** @param versions of Calico; empty if nobody says */
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
