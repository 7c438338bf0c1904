/** Owns the checks of etcd, asked by the certificate itself: its servers, the user, and the keys that the component needs. */

import type { Target } from '../../../config/config.ts'
import { AgentError } from '../../../core/errors.ts'
import { commonName } from '../../../pki/certificate.ts'
import type { Finding as EtcdFinding, ProbeCode } from '../../../sidecar/gate/probe/outcome.ts'
import { probeCodes } from '../../../sidecar/gate/probe/outcome.ts'
import { openEtcd } from '../../etcd/client.ts'
import { builtInProfiles } from '../../etcd/profile-table.ts'
import type { Access } from '../access.ts'
import { type Check, failure, ok, skipped, type Verdict, warning } from '../check.ts'
import { judgeGrants } from '../grants.ts'

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
      if (!(error instanceof AgentError) || error.code !== 'etcd-denied') throw error
      return warning(error.message, 'Look at the roles of this user with etcdctl.', 'etcd-denied')
    } finally {
      etcd.close()
    }
  },
}
