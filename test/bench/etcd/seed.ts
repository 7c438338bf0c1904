/** Owns filling an etcd with users and roles past its own interface (test/servers/etcd/seed), where that takes hours. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { DesiredState } from '../../../agent/operator/etcd/desired.ts'
import { sourceDirectory } from '../../servers/locate.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'

/** etcd writes what it holds to its database every 100 ms. */
const writtenAfterMs = 1000

/** Besides what is there already. The member is away meanwhile. @throws when there is no Go */
export async function seedEtcd(etcd: RealEtcd, { roles, users }: DesiredState): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'etcd-seed-'))
  try {
    const program = join(directory, 'seed')
    run('go', ['build', '-mod=readonly', '-buildvcs=false', '-o', program, './seed'], sourceDirectory('etcd'))
    await delay(writtenAfterMs)
    await etcd.kill()
    const database = join(dirname(etcd.caFile), 'data/member/snap/db')
    const input = {
      roles: Object.fromEntries(
        [...roles].map(([name, grants]) => [name, grants.map(({ access, key, end }) => [access, key, end])]),
      ),
      users: Object.fromEntries([...users].map(([name, wanted]) => [name, wanted.roles])),
    }
    run(program, [database], directory, JSON.stringify(input))
    await etcd.restart()
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function run(command: string, args: readonly string[], cwd: string, input = ''): void {
  const { status, stderr, error } = spawnSync(command, args, { cwd, input, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${error?.message ?? stderr}`)
}
