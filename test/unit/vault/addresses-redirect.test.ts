import { expect, test } from 'vitest'
import { planRedirect } from '../../../agent/vault/addresses.ts'

const asked = { origin: 'https://vault:8200', path: '/v1/pki/sign/calico-node' }
const trusting = { redirects: true, caPem: undefined, caFile: '/ca.pem', caDirectory: undefined }
const answer = (location: string) => ({ status: 307, headers: { location } })

test('a standby names the active node', () => {
  const active = { ...asked, origin: 'https://[fd00::2]:8200' }
  expect(planRedirect(answer(active.origin + active.path), asked, trusting)).toEqual(active)
})

test("the system's CAs make no host the same as Vault", () => {
  const location = `https://vault-2:8200${asked.path}`
  const reason = 'to https://vault-2:8200 is not followed: VAULT_CACERT must name the CA of both'
  expect(planRedirect(answer(location), asked, { ...trusting, caFile: undefined })).toBe(reason)
})

test.each([
  ['http:', 'http:'],
  ['http:', 'https:'],
  ['https:', 'http:'],
])('from %s to %s no other host is asked', (from, to) => {
  const place = { ...asked, origin: `${from}//vault:8200` }
  expect(planRedirect(answer(`${to}//vault-2:8200${asked.path}`), place, trusting)).toMatch(/both must be https$/)
})

test('a directory of CAs is as good as a file', () => {
  const active = { ...asked, origin: 'https://vault-2:8200' }
  const address = { ...trusting, caFile: undefined, caDirectory: '/certs' }
  expect(planRedirect(answer(active.origin + active.path), asked, address)).toEqual(active)
})

test('what listens on a socket sends nobody elsewhere', () => {
  const place = { ...asked, origin: 'unix:///run/vault.sock' }
  expect(planRedirect(answer(`https://vault-2:8200${asked.path}`), place, trusting)).toMatch(/both must be https$/)
  expect(planRedirect(answer('/v1/x'), place, trusting)).toMatch(/both must be https$/)
})

test('what is no 307 is no redirect', () => {
  expect(planRedirect({ ...answer('/v1/x'), status: 308 }, asked, trusting)).toBeUndefined()
})
