/** docs/upgrade.md from a fresh datastore (docs/etcd.md) on, command by command, while what the old and the new version of Calico ask of etcd is asked again by their users. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { resources } from '../../../agent/operator/etcd/profile-table.ts'
import type { Choice } from '../../../agent/operator/etcd/profiles.ts'
import { openReplay, type Replay } from '../../support/calico-replay.ts'
import { type Ask, titleOf as asked, asksOf, isAbout } from '../../support/calico-rights.ts'
import { node } from '../../support/calico-traces.ts'
import { withheld } from '../../support/calico-withheld.ts'
import type { Ended } from '../../support/command.ts'
import { etcdGet, etcdPut } from '../../support/etcd-grpc.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { titleOf as etcdTitle, etcdVersions, type Operator, operatorFiles, startMembers } from './rig.ts'

const [before, after] = ['v3.30.7', 'v3.32.1'] as const
/** Not calicoctl: what it was recorded doing would take the defaults away. */
const components = ['calico-node', 'calico-cni', 'calico-kube-controllers']
const asksBy = (version: string) => components.flatMap((component) => asksOf(component, version))

/** The commands in the fenced blocks of each section, a block at a time. */
function sectionsOf(document: string): ReadonlyMap<string, readonly (readonly string[])[]> {
  const text = readFileSync(join(import.meta.dirname, '../../../docs', document), 'utf8')
  return new Map(
    text.split(/^###? /m).map((section) => {
      const blocks = [...section.matchAll(/^```sh\n(.*?)^```/gms)].map(([, body = '']) => body.trimEnd().split('\n'))
      return [section.split('\n', 1)[0] ?? '', blocks] as const
    }),
  )
}

const sections = () => sectionsOf('upgrade.md')

describe('docs/upgrade.md', () => {
  it('has only commands that are run here, and those of Kubernetes and Calico', () => {
    const lines = [...sections().values()].flat(2)
    expect(lines.filter((line) => line.startsWith('calico-vault-agent ')).length).toBeGreaterThan(6)
    for (const line of lines) {
      expect(line).toMatch(
        /^(export AGENT_CALICO_VERSION=\S+|calico-vault-agent provision .*|kubectl .*|calicoctl get .*)$/,
      )
    }
  })
})

for (const version of etcdVersions) {
  describe.skipIf(version.missing !== undefined)(`an upgrade of Calico on ${etcdTitle(version)}`, () => {
    let etcd: RealEtcd
    let operator: Operator
    let replay: Replay
    const directory = tempDir(afterAll)
    const nodesFile = join(directory, 'nodes.txt')

    beforeAll(async () => {
      ;[etcd] = (await startMembers(version)) as [RealEtcd]
      operator = operatorFiles(await etcd.client('admin'))
      replay = openReplay((user) => etcd.client(user))
      writeFileSync(nodesFile, `${node}\nnode2\n`)
      // There is no terminal to ask on.
      const blocks = sectionsOf('etcd.md')
        .get('A fresh datastore')
        ?.map((lines) => lines.map((line) => `${line} --yes`))
      const [fresh] = await follow('A fresh datastore', blocks, before)
      if (fresh?.code !== 0) throw new Error(fresh?.stderr)
    }, 60_000)
    afterAll(async () => {
      replay?.close()
      operator?.remove()
      await etcd?.stop()
    })

    const provision = (args: string, env: Readonly<Record<string, string>>): Promise<Ended> =>
      operator.provision(args.replace('nodes.txt', nodesFile).split(' '), { env })

    /** One block after the other; what `export` sets stays for the section. */
    async function follow(
      section: string,
      blocks = sections().get(section) ?? [],
      calicoVersion = `${before},${after}`,
    ): Promise<readonly Ended[]> {
      expect([section, blocks.length]).not.toEqual([section, 0])
      const env: Record<string, string> = { AGENT_CALICO_VERSION: calicoVersion }
      const ended: Ended[] = []
      for (const line of blocks.flat()) {
        const assigned = line.startsWith('export ') ? [...line.matchAll(/(\w+)=(\S+)/g)] : []
        for (const [, name = '', value = ''] of assigned) env[name] = value
        const [, args] = /^calico-vault-agent provision (.*)$/.exec(line) ?? []
        if (args !== undefined) ended.push(await provision(args, env))
      }
      return ended
    }

    /** What is denied besides what is meant to be. */
    async function wronglyDenied(asks: readonly Ask[], strict = false): Promise<readonly string[]> {
      const choice: Choice = { naming: 'node', versions: [], strict }
      const denied = await replay.denied(asks, choice.naming)
      return denied.filter((ask) => !withheld.some((entry) => isAbout(entry, ask, choice))).map(asked)
    }

    it('starts from the pool of the environment', async () => {
      const pool = await etcdGet(await etcd.client('admin'), `${resources}ippools/default-ipv4-ippool`)
      const { spec } = JSON.parse((pool.ok && pool.value) || '{}')
      expect(spec).toMatchObject({ cidr: '10.244.0.0/16', ipipMode: 'Always', natOutgoing: true })
    })

    it('starts from rights for the old version, with which the new one would not start', async () => {
      expect(await wronglyDenied(asksBy(before))).toEqual([])
      const denied = await wronglyDenied(asksOf('calico-node', after, 'upgrade-startup'))
      expect(denied.join()).toContain('tiers/kube-admin')
    })

    it('1. the plan shows what the new version needs, and what it wants to exist', async () => {
      const [plan] = await follow('1. See what changes')
      expect(plan?.code).toBe(0)
      expect(plan?.stdout).toContain(`grant readwrite ${resources}tiers/kube-admin`)
      expect(plan?.stdout).not.toContain('revoke')
      expect(plan?.stdout).toContain('Note: there is no BGPConfiguration "default"')
    })

    it('2. with both, old and new work at the same time', async () => {
      const [apply, plan] = await follow('2. Grant both')
      expect([apply?.code, apply?.stderr]).toEqual([0, ''])
      expect(plan?.stdout).toBe('In step: nothing to do.\n')
      const key = `${resources}bgpconfigurations/default`
      expect(await etcdGet(await etcd.client('admin'), key)).toMatchObject({
        value: expect.stringContaining('BGPConfiguration'),
      })
      const [old, fresh] = await Promise.all([wronglyDenied(asksBy(before)), wronglyDenied(asksBy(after))])
      expect([old, fresh]).toEqual([[], []])
    })

    it('4. the old rights go, and the new version goes on', async () => {
      const [apply] = await follow('4. Revoke the old rights')
      expect(apply?.stdout).toContain(`revoke readwrite ${resources}tiers/adminnetworkpolicy`)
      expect(await wronglyDenied(asksBy(after))).toEqual([])
      expect((await wronglyDenied(asksOf('calico-node', before, 'startup-restart'))).join()).toContain(
        'tiers/adminnetworkpolicy',
      )
    })

    it('rollback: both again, then the old ones alone', async () => {
      const blocks = sections().get('Rollback') ?? []
      expect(blocks).toHaveLength(2)
      await follow('Rollback', blocks.slice(0, 1))
      expect(await wronglyDenied([...asksBy(before), ...asksBy(after)])).toEqual([])
      await follow('Rollback', blocks.slice(1))
      expect(await wronglyDenied(asksBy(before))).toEqual([])
    })

    it('--strict: the plan says that the new version could not start, and with the steps it does', async () => {
      const cluster = `${resources}clusterinformations/default`
      const says = (calicoVersion: string) => JSON.stringify({ spec: { calicoVersion } })
      const ofNode = await etcd.client(`calico-node:${node}`)
      expect(await etcdPut(ofNode, cluster, says(before))).toMatchObject({ ok: true })
      const strict = 'apply --naming node --nodes-file nodes.txt --strict --yes'
      expect((await provision(strict, { AGENT_CALICO_VERSION: before })).code).toBe(0)
      expect(await wronglyDenied(asksOf('calico-node', before, 'startup-restart'), true)).toEqual([])
      expect(await etcdPut(ofNode, cluster, says(after))).toMatchObject({ ok: false })

      const blocks = sections().get('With `--strict`') ?? []
      expect(blocks).toHaveLength(2)
      const [plan] = await follow('With `--strict`', blocks.slice(0, 1))
      expect(plan?.stdout).toContain(`says v3.30: with --strict a calico-node of v3.32 cannot change that`)
      await follow('2. Grant both')
      expect(await wronglyDenied(asksOf('calico-node', after, 'upgrade-startup'))).toEqual([])
      expect(await etcdPut(ofNode, cluster, says(after))).toMatchObject({ ok: true })
      await follow('With `--strict`', blocks.slice(1))
      expect(await etcdPut(ofNode, cluster, says(before))).toMatchObject({ ok: false })
      const running = asksBy(after).filter(({ trace }) => trace.program !== 'calico-node')
      const restarted = asksOf('calico-node', after, 'startup-restart')
      expect(await wronglyDenied([...running, ...restarted], true)).toEqual([])
      const asksForCluster = restarted.some(
        ({ request }) => request.recorded === cluster && /put/.test(request.operation),
      )
      expect(asksForCluster).toBe(false)
    })
  })
}
