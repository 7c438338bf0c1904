/** Proves how the probe asks several members at once: one that accepts is enough, whatever the others are. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { locateServer } from '../../servers/locate.ts'
import { freePort } from '../../support/child-server.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { type RealEtcd, startRealEtcdCluster } from '../../support/real-etcd.ts'
import { type Asker, ask, blackHole } from './places.ts'

const program = locateServer('etcd')
const leftOut = 'missing' in program ? ` (left out: ${program.missing})` : ''
const user = 'calico-node:node1'

/** In this order: the members are killed one after the other. */
describe.skipIf('missing' in program)(`three members of a real etcd${leftOut}`, () => {
  let members: RealEtcd[] = []
  let endpoints: string[]
  let known: Asker
  let unknown: Asker
  beforeAll(async () => {
    members = await startRealEtcdCluster(3)
    endpoints = members.map(({ endpoint }) => endpoint)
    const [first] = members
    if (first === undefined) throw new Error('no member')
    const auth = etcdAuth(await first.client('root'))
    await auth.addRole('calico')
    await auth.grantPrefix('calico', 'read', '/calico/')
    await auth.addUser(user)
    await auth.grantRole(user, 'calico')
    await auth.enable()
    known = await first.client(user)
    unknown = await first.client('nobody')
  })
  afterAll(async () => {
    await Promise.all(members.map((member) => member.stop()))
  })

  it('all of them up: accepted', async () => {
    expect(await ask(endpoints, known, user)).toMatchObject({ code: 'accepted' })
  })

  it('a black hole beside them: accepted, and nobody waits for it', async () => {
    const found = await ask([await blackHole(), ...endpoints], known, user, 3_600_000)
    expect(found).toMatchObject({ code: 'accepted' })
  })

  it('an unknown user: what those say who answer counts, and the detail tells of all', async () => {
    const all = [`https://127.0.0.1:${await freePort()}`, ...endpoints]
    const found = await ask(all, unknown, 'nobody')
    expect(found.code).toBe('etcd-unknown-user')
    for (const endpoint of all) expect(found.detail).toContain(`${endpoint}: `)
  })

  it('one of them down: accepted', async () => {
    await members[2]?.kill()
    expect(await ask(endpoints, known, user)).toMatchObject({ code: 'accepted' })
  })

  it('two of them down: the third accepts whom it knows, and what it alone denies decides nothing', async () => {
    await members[1]?.kill()
    expect(await ask(endpoints, known, user)).toMatchObject({ code: 'accepted' })
    const found = await ask(endpoints, unknown, 'nobody', 1000)
    expect(found).toMatchObject({ code: 'etcd-unheard', detail: expect.stringContaining('no answer within 1000 ms') })
  })
})
