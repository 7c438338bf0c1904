/** Proves of the alerts of the whole fleet, of what is not there, and of `provision watch`, that they fire when they should, and not otherwise. */
import { describe, it } from 'vitest'
import { hasPromtool } from '../../support/promtool.ts'
import { constant, podOf, targetOf } from './recording.ts'
import { type RuleTest, sent, testRules } from './rules.ts'
import { simulateNode } from './simulated-node.ts'
import { provisioned, simulateProvision } from './simulated-provision.ts'

const leftOut = hasPromtool ? '' : ' (left out: no promtool)'

describe.skipIf(!hasPromtool)(`the alerts of a fleet${leftOut}`, () => {
  it('tell of one cause on many nodes, and of few nodes only one by one', async () => {
    const failing = await simulateNode()
    await failing.pass(10)
    await failing.vault.seal()
    failing.agent.renewNow()
    await failing.pass(35)
    const healthy = await simulateNode()
    await healthy.pass(45)
    const fleet = (size: number, bad: number): RuleTest['series'] =>
      Array.from({ length: size }, (_, index) =>
        (index < bad ? failing : healthy).recording.as(targetOf(`node${index + 1}`)),
      ).flat()
    await testRules({
      series: fleet(40, 4),
      firing: {
        15: {},
        40: { CalicoVaultAgentFleetFailing: 1, CalicoVaultAgentRenewalFailing: 4, CalicoVaultAgentVaultErrors: 1 },
      },
      sends: [
        sent(
          40,
          'CalicoVaultAgentFleetFailing',
          { reason: 'vault-sealed', severity: 'critical' },
          {
            summary: '10% of all certificates cannot be renewed: vault-sealed',
            runbook_url: 'docs/runbook.md#vault-sealed',
          },
        ),
      ],
    })
    await testRules({ series: fleet(100, 4), firing: { 40: { CalicoVaultAgentRenewalFailing: 4 } } })
    // Two of five are more than a twentieth, but no fleet.
    await testRules({
      series: fleet(5, 2),
      firing: { 40: { CalicoVaultAgentRenewalFailing: 2, CalicoVaultAgentVaultErrors: 1 } },
    })
  }, 90_000)

  it('tell of an agent that cannot be scraped, and of a calico-node without one', async () => {
    const { recording, pass } = await simulateNode()
    await pass(30)
    await testRules({
      series: [
        ...recording.as(targetOf('node1')),
        ...podOf('node1', 'Running', 30),
        ...podOf('node2', 'Running', 30),
        ...podOf('node3', 'Pending', 30),
        constant('up', targetOf('node1'), 1, 30),
        constant('up', targetOf('node4'), 0, 30),
        constant('up', { job: 'kube-system/other', instance: 'other' }, 0, 30),
      ],
      firing: { 5: {}, 25: { CalicoVaultAgentAbsent: 1, CalicoVaultAgentDown: 1 } },
    })
  })

  it('tell of a provision watch that does not know the nodes, does not reach etcd, keeps users back, or meets users of others', async () => {
    const { listener, recording, pass } = simulateProvision()
    listener({ type: 'provision-source-reached', source: 'Kubernetes', nodes: 10 })
    listener(provisioned({}))
    await pass(30)
    listener(provisioned({ held: 7, conflicts: 2 }))
    await pass(35)
    listener({ type: 'provision-source-failed', reason: 'kube-unreachable', detail: '', retryAtMs: 0 })
    await pass(25)
    await testRules({
      series: recording.as({ job: 'kube-system/calico-provisioner', instance: 'provisioner' }),
      firing: {
        29: {},
        64: { CalicoVaultAgentProvisionRemovalsHeld: 1, CalicoVaultAgentProvisionConflicts: 1 },
        88: {
          CalicoVaultAgentProvisionRemovalsHeld: 1,
          CalicoVaultAgentProvisionConflicts: 1,
          CalicoVaultAgentProvisionSourceDown: 1,
          CalicoVaultAgentProvisionStale: 1,
        },
      },
    })
  })
})
