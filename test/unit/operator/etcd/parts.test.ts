/** The small parts: names of nodes, the pool of calls, errors of etcd3, the record. */
import { describe, expect, it } from 'vitest'
import { AgentError } from '../../../../agent/core/errors.ts'
import { forEach } from '../../../../agent/operator/engine/pool.ts'
import { translateEtcdError } from '../../../../agent/operator/etcd/client.ts'
import { longNameWarning, parseNodeNames } from '../../../../agent/operator/etcd/nodes.ts'
import {
  readReceipt,
  readRecord,
  recordLine,
  remember,
  tidy,
  writeReceipt,
} from '../../../../agent/operator/etcd/record.ts'
import { createEtcdModel } from '../../../support/etcd-model.ts'

describe('names of nodes', () => {
  it('are read one a line, or with commas, with comments, sorted and once', () => {
    expect(parseNodeNames('\uFEFFnode2\r\nnode1, node3 # comment\n\n#x\nnode1\n')).toEqual({
      names: ['node1', 'node2', 'node3'],
      problems: [],
    })
  })

  it.each(['a/b', '.a', 'a..', 'ä', 'a'.repeat(254), 'a:b', '*'])('%s is none', (name) => {
    expect(parseNodeNames(name).problems).toHaveLength(1)
  })

  it('longer than X.520 allows with the component before it is worth a warning', () => {
    expect(longNameWarning(`calico-node:${'a'.repeat(52)}`)).toBeUndefined()
    expect(longNameWarning(`calico-node:${'a'.repeat(53)}`)).toContain('has 65 bytes, more than the 64')
  })
})

describe('the pool', () => {
  it('does everything, with no more at once than allowed', async () => {
    let [running, most, done] = [0, 0, 0]
    await forEach(Array.from({ length: 50 }), { now: () => 0, most: 4 }, async () => {
      most = Math.max(most, ++running)
      await Promise.resolve()
      running--
      done++
    })
    expect({ most, done }).toEqual({ most: 4, done: 50 })
  })

  it('begins nothing after a failure, and waits for what is under way', async () => {
    const ended: number[] = []
    const failing = forEach([1, 2, 3, 4, 5, 6], { now: () => 0, most: 2 }, async (item) => {
      await Promise.resolve()
      if (item === 2) throw new Error('two')
      ended.push(item)
    })
    await expect(failing).rejects.toThrow('two')
    expect(ended).not.toContain(5)
  })

  it('goes down to one at a time where calls are slow, and up again', async () => {
    let [clock, running] = [0, 0]
    const seen: number[] = []
    const items = Array.from({ length: 120 }, (_, index) => index)
    await forEach(items, { now: () => clock, most: 8 }, async (item) => {
      running++
      seen.push(running)
      if (item < 60) clock += 1000
      await Promise.resolve()
      running--
    })
    expect(seen.slice(30, 60)).toEqual(Array.from({ length: 30 }, () => 1))
    expect(Math.max(...seen.slice(80))).toBe(8)
  })

  it('with nothing to do ends', async () => {
    await expect(forEach([], { now: () => 0 }, async () => {})).resolves.toBeUndefined()
  })
})

describe("etcd3's errors", () => {
  it.each([
    [
      '14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: ',
      'etcd-unreachable',
    ],
    ['14 UNAVAILABLE: No connection established. Last error: unable to verify the first certificate', 'etcd-tls'],
    ['14 UNAVAILABLE: etcdserver: no leader', 'etcd-no-leader'],
    ['14 UNAVAILABLE: etcdserver: request timed out', 'etcd-no-leader'],
    ['4 DEADLINE_EXCEEDED: Deadline exceeded after 10.002s,LB pick: 0.001s', 'etcd-timeout'],
    ['7 PERMISSION_DENIED: etcdserver: permission denied', 'etcd-denied'],
    ['3 INVALID_ARGUMENT: etcdserver: user name is empty', 'etcd-denied'],
    ['3 INVALID_ARGUMENT: etcdserver: revision of auth store is old', 'etcd-busy'],
    ['8 RESOURCE_EXHAUSTED: etcdserver: too many requests', 'etcd-busy'],
    ['8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded', 'etcd-no-space'],
    ['9 FAILED_PRECONDITION: etcdserver: role name not found', 'etcd-contended'],
    ['9 FAILED_PRECONDITION: etcdserver: root user does not have root role', 'etcd-refused'],
    ['EtcdPermissionDeniedError: 7 PERMISSION_DENIED: etcdserver: permission denied', 'etcd-denied'],
  ])('%s: %s', (message, code) => {
    expect(translateEtcdError(new Error(message), 'https://a:1')).toMatchObject({
      code,
      message: expect.stringMatching(/^https:\/\/a:1: /),
    })
  })

  it('of another kind stay bugs', () => {
    const bug = new TypeError('x is not a function')
    expect(translateEtcdError(bug, 'https://a:1')).toBe(bug)
    const known = new AgentError('etcd-tls', 'x')
    expect(translateEtcdError(known, 'https://a:1')).toBe(known)
  })
})

describe('the record', () => {
  it('keeps names, many in few keys, and forgets those that are gone', async () => {
    const model = createEtcdModel()
    const names = Array.from({ length: 4500 }, (_, index) => `user${index}`)
    await remember(model, [
      ...names.map((name) => recordLine('user', name)),
      recordLine('role', 'calico-vault-agent/r'),
    ])
    const record = await readRecord(model)
    expect(record.keys).toHaveLength(3)
    expect(record.made.users.size).toBe(4500)
    expect([...record.made.roles]).toEqual(['calico-vault-agent/r'])
    await tidy(model, record, new Set([recordLine('user', 'user7'), recordLine('role', 'calico-vault-agent/r')]))
    const after = await readRecord(model)
    expect([after.made.users.size, after.made.users.has('user7'), after.made.roles.size]).toEqual([4499, false, 0])
  })

  it('writes many small keys together', async () => {
    const model = createEtcdModel()
    for (let index = 0; index < 40; index++) await remember(model, [recordLine('user', `user${index}`)])
    await tidy(model, await readRecord(model), new Set())
    const after = await readRecord(model)
    expect([after.keys.length, after.made.users.size]).toEqual([2, 40])
  })

  it('never takes a role of somebody else for its own, whatever is written there', async () => {
    const model = createEtcdModel()
    await model.put('/calico-vault-agent/provision/made/x', 'role root\nrole other\nnonsense\n\nuser ')
    expect((await readRecord(model)).made.roles.size).toBe(0)
  })

  it('takes only a whole receipt', async () => {
    const model = createEtcdModel()
    await writeReceipt(model, { revision: '7', digest: 'd', notes: ['n'] })
    expect(await readReceipt(model)).toEqual({ revision: '7', digest: 'd', notes: ['n'] })
    for (const text of ['', '{', 'null', '[]', '{"revision":7,"digest":"d","notes":[]}', '{"revision":"7"}']) {
      await model.put('/calico-vault-agent/provision/in-step', text)
      expect(await readReceipt(model)).toBeUndefined()
    }
  })
})
