/** Owns a PKI mount: its roles and its signing here; issuers, CA reads and revocation in the files beside it. */
import { refusal } from './failure.ts'
import type { Backend, Call, Route } from './logical.ts'
import { caReadRoutes } from './pki-ca-reads.ts'
import { issuerRoutes } from './pki-issuer-routes.ts'
import { createIssuerStore } from './pki-issuers.ts'
import { revoke } from './pki-revoke.ts'
import { describePkiRole, type PkiRole, readPkiRole } from './pki-role.ts'
import { type SignContext, signLeaf } from './pki-sign.ts'
import type { State } from './state.ts'

/** `leases` is asked each time: a mount may be tuned. */
export function createPkiBackend(state: State, leases: () => SignContext['leases']): Backend {
  const store = createIssuerStore()
  const stored = new Map<string, string>()
  const context = (): SignContext => ({
    state,
    store,
    leases: leases(),
    remember: (pem, serialNumber) => stored.set(serialNumber, pem),
  })
  return {
    routes: [
      ...roleRoutes(context),
      ...issuerRoutes(state, store, () => context().leases),
      ...caReadRoutes(state, store),
      { path: 'revoke-with-key', update: ({ data }) => revoke(state, store, stored, data, true) },
      { path: 'revoke', update: ({ data }) => revoke(state, store, stored, data, false) },
    ],
  }
}

function roleRoutes(context: () => SignContext): Route[] {
  const roles = new Map<string, PkiRole>()
  const nameOf = ({ params }: Call): string => params['name'] ?? ''
  return [
    { path: 'roles', list: () => (roles.size === 0 ? undefined : { data: { keys: [...roles.keys()] } }) },
    {
      path: 'roles/:name',
      read: (call) => {
        const role = roles.get(nameOf(call))
        return role === undefined ? undefined : { data: describePkiRole(role) }
      },
      update: (call) => {
        const role = readPkiRole(call.data)
        roles.set(nameOf(call), role)
        return { data: describePkiRole(role) }
      },
      delete: (call) => void roles.delete(nameOf(call)),
    },
    {
      path: 'sign/:name',
      update: (call) => {
        const role = roles.get(nameOf(call))
        if (role === undefined) throw refusal(`unknown role: ${nameOf(call)}`)
        return signLeaf(context(), role, call)
      },
    },
    {
      path: 'issue/:name',
      update: () => {
        throw refusal('the development Vault makes no keys: use sign')
      },
    },
  ]
}
