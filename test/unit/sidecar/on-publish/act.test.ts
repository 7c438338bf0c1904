import { expect, test } from 'vitest'
import { bodyOf, environmentOf, type Notice } from '../../../../agent/sidecar/on-publish/act.ts'

const notice: Notice = {
  component: 'calico-node',
  directory: '/calico-secrets',
  reason: 'renewal-due',
  caSetChanged: true,
  serialNumber: '3BDC',
  notAfterMs: Date.parse('2026-11-22T12:00:00Z'),
}

test('a program gets what happened, and of the environment only what holds no secret', () => {
  const own = {
    PATH: '/bin',
    VAULT_TOKEN: 'hvs.x',
    AGENT_VAULT_TOKEN_FILE: '/t',
    CREDENTIALS_DIRECTORY: '/c',
    TZ: 'UTC',
  }
  expect(environmentOf(notice, own)).toEqual({
    PATH: '/bin',
    TZ: 'UTC',
    PUBLISHED_TARGET: 'calico-node',
    PUBLISHED_DIRECTORY: '/calico-secrets',
    PUBLISHED_REASON: 'renewal-due',
    PUBLISHED_CA_SET_CHANGED: 'true',
    PUBLISHED_SERIAL: '3BDC',
    PUBLISHED_NOT_AFTER: '2026-11-22T12:00:00.000Z',
  })
})

test('a URL gets the same as JSON', () => {
  expect(JSON.parse(bodyOf(notice))).toEqual({
    target: 'calico-node',
    directory: '/calico-secrets',
    reason: 'renewal-due',
    caSetChanged: true,
    serialNumber: '3BDC',
    notAfter: '2026-11-22T12:00:00.000Z',
  })
})
