/** Owns which rights the token of `rotate-ca` needs: for the policy in docs/ca-rotation.md, and for saying which are missing. */
import type { Capability, Rights } from '../vault-setup/rights.ts'

/** @param makes whether a root CA may be made */
export function rotationRights(mount: string, makes = true): Rights {
  const rights: [string, readonly Capability[]][] = [
    [`${mount}/issuers`, ['list']],
    [`${mount}/issuer/+`, ['read', 'delete']],
    [`${mount}/config/issuers`, ['read', 'create', 'update']],
    [`${mount}/roles`, ['list']],
    [`${mount}/roles/+`, ['read']],
    [`sys/mounts/${mount}/tune`, ['read']],
  ]
  if (makes) rights.push([`${mount}/root/rotate/internal`, ['create', 'update']])
  return new Map(rights)
}
