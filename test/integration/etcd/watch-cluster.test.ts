/** `provision watch` on three members of each version of etcd: one is killed, and nodes go on coming and going. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { spawnAgent } from '../../support/agent-process.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { etcdVersions, operatorFiles, startMembers, titleOf } from './rig.ts'
import { denied, putOwn } from './watch-rig.ts'

for (const version of etcdVersions) {
  describe.skipIf(version.missing !== undefined)(`provision watch on ${titleOf(version)}`, () => {
    it('makes and removes users while a member is down', async () => {
      const members = await startMembers(version, 3)
      onTestFinished(async () => void (await Promise.all(members.map((member) => member.stop()))))
      const [first, ...others] = members
      if (first === undefined) throw new Error('no member')
      const root = await first.client('root')
      await etcdAuth(root).enable()
      const ca = members.map(({ caPem }) => caPem).join('')
      const operator = operatorFiles({ ...root, ca }, members.map(({ endpoint }) => endpoint).join(','))
      onTestFinished(() => operator.remove())
      const file = join(tempDir(), 'nodes')
      writeFileSync(file, 'node1\nnode2\nnode3\n')
      const watcher = spawnAgent(
        { ...operator.env, AGENT_LOG_LEVEL: 'debug' },
        { args: ['provision', 'watch', '--nodes-file', file, '--components', 'calico-node', '--grace', '1s'] },
      )
      await watcher.nextLine(({ event }) => event === 'provision-done')
      expect(await putOwn(first, 'node1')).toBe('ok')

      // Where it is the leader, a new one is elected first.
      await first.kill()
      writeFileSync(file, 'node1\nnode2\nnode4\n')
      await watcher.nextLine(({ subject, change }) => subject === 'user calico-node:node4' && change === 'assign-role')
      await watcher.nextLine(({ event, node }) => event === 'provision-node-removed' && node === 'node3')
      const [second] = others
      if (second === undefined) throw new Error('no second member')
      expect(await putOwn(second, 'node4')).toBe('ok')
      expect(await putOwn(second, 'node3')).toBe(denied)
    }, 90_000)
  })
}
