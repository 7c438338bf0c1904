import { spawnSync } from 'node:child_process'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { desiredState } from '../../../../agent/operator/etcd/desired.ts'
import { exactKey, prefixRange } from '../../../../agent/operator/etcd/grants.ts'
import { builtInProfiles } from '../../../../agent/operator/etcd/profile-table.ts'
import { etcdctlScript } from '../../../../agent/operator/etcd/script.ts'

const options = { version: '1', operator: undefined }

it('is a script that sh accepts, with every grant and every user', () => {
  const desired = desiredState({
    profiles: builtInProfiles,
    components: Object.keys(builtInProfiles),
    naming: 'node',
    nodes: ['node1', 'node11'],
    versions: [],
    strict: false,
  })
  const script = etcdctlScript(desired, options)
  expect(spawnSync('sh', ['-n'], { input: script, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
  const count = (text: string) => script.split('\n').filter((line) => line.startsWith(text)).length
  expect(count('add_user ')).toBe(desired.users.size)
  expect(count('add_role ')).toBe(desired.roles.size)
  expect(count('etcdctl role grant-permission ')).toBe([...desired.roles.values()].flat().length)
})

it('never has the form of etcdctl that makes a password of a name', () => {
  const desired = desiredState({
    profiles: builtInProfiles,
    components: ['calico-node'],
    naming: 'node',
    nodes: ['node1'],
    versions: [],
    strict: false,
  })
  const script = etcdctlScript(desired, { version: '1', operator: 'admin' })
  for (const [line] of script.matchAll(/^[^#\n]*user add.*$/gm)) expect(line).toContain('--no-password')
})

it('quotes whatever a name or key holds', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme-ascii', minLength: 1 }), (name) => {
      const desired = {
        roles: new Map([
          [
            name,
            [
              { access: 'read' as const, ...exactKey(name) },
              { access: 'write' as const, ...prefixRange(`${name}/`) },
            ],
          ],
        ]),
        users: new Map([[name, { roles: [name] }]]),
        warnings: [],
      }
      // A script that only prints its arguments, one a line, in place of etcdctl.
      const lines = etcdctlScript(desired, options).split('\n')
      const script = [
        "etcdctl() { for each; do printf '<%s>' \"$each\"; done; printf '\\n'; }",
        ...lines.filter((line) => /^etcdctl (role|user)/.test(line)),
      ].join('\n')
      const { stdout } = spawnSync('sh', [], { input: script, encoding: 'utf8' })
      expect(stdout).toBe(
        [
          `<role><grant-permission><${name}><read><${name}>`,
          `<role><grant-permission><${name}><write><${name}/><--prefix=true>`,
          `<user><grant-role><${name}><${name}>`,
          '',
        ].join('\n'),
      )
    }),
    { numRuns: 60 },
  )
})
