/** What a pod's security context decides: who reads by fsGroup, and what SELinux refuses. */
import { expect, it } from 'vitest'
import { AgentError } from '../../../../agent/core/errors.ts'
import { judgeReader, podGroups } from '../../../../agent/operator/doctor/checks/consumers.ts'
import { judgeHostDirectories } from '../../../../agent/operator/doctor/checks/directory.ts'

it.each([
  ['of a pod with fsGroup', 0o42777, [10_001], 'ok'],
  ['of a group that the agent is not in', 0o42777, [7], 'failure'],
  ['that the kubelet has not marked', 0o40770, [10_001], 'failure'],
])('999:0 reads 0440 of 10001:10001 in a volume %s: %o', (_what, mode, ours, status) => {
  const groups = podGroups({ mode, gid: 10_001 }, ours)
  const file = { path: '/d/etcd-key', bits: 4, uid: 10_001, gid: 10_001, mode: 0o100440 }
  expect(judgeReader({ uid: 999, gid: 0, groups }, [file]).status).toBe(status)
})

const denied = new AgentError('directory-denied', '/host/etc/cni/net.d: EACCES')
const full = new AgentError('directory-full', '/host/etc/cni/net.d: ENOSPC')
it.each([
  ['writable', undefined, 'system_u:system_r:container_t:s0', 'ok', undefined],
  ['denied, confined by SELinux', denied, 'system_u:system_r:container_t:s0:c1,c2', 'failure', /spc_t/],
  ['denied, not confined', denied, 'system_u:system_r:spc_t:s0', 'failure', undefined],
  ['denied, without SELinux', denied, undefined, 'failure', undefined],
  ['full', full, 'system_u:system_r:container_t:s0', 'failure', undefined],
])("the node's directory: %s", (_what, error, label, status, advice) => {
  const verdict = judgeHostDirectories([{ path: '/host/etc/cni/net.d', error }], label)
  expect(verdict.status).toBe(status)
  if (advice === undefined) expect(verdict.advice).toBeUndefined()
  else expect(verdict.advice).toMatch(advice)
})
