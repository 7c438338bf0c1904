/** Proves of every alert that it fires on what a real agent says when it should, and not otherwise. */
import { describe, expect, it } from 'vitest'
import { readAlerts } from '../../../build/alert-rules.ts'
import { hasPromtool } from '../../support/promtool.ts'
import { constant, podOf, type Recording, recordMinutes, targetOf } from './recording.ts'
import { type RuleTest, testRules } from './rules.ts'
import { simulateNode } from './simulated-node.ts'
import { provisioned, simulateProvision } from './simulated-provision.ts'

const leftOut = hasPromtool ? '' : ' (left out: no promtool)'
const shown = new Set<string>()

async function check(test: RuleTest): Promise<void> {
  await testRules(test)
  for (const alerts of Object.values(test.firing)) for (const alert of Object.keys(alerts)) shown.add(alert)
}

const alone = (recording: Recording): RuleTest['series'] => recording.as(targetOf('node1'))

describe.skipIf(!hasPromtool)(`the alerts${leftOut}`, () => {
  it('are silent on a healthy node, through its renewals', async () => {
    const { agent, recording, pass } = await simulateNode()
    await pass(36 * 60)
    expect(agent.events.filter(({ type }) => type === 'published').length).toBeGreaterThan(2)
    const everyHour = Array.from({ length: 35 }, (_, hour) => [(hour + 1) * 60, {}] as const)
    await check({ series: alone(recording), firing: Object.fromEntries(everyHour) })
  }, 60_000)

  it('tell of a sealed Vault: first the CA set, then the renewal, the runway, the end', async () => {
    const { vault, recording, pass, minuteOf } = await simulateNode()
    const due = await minuteOf('certificate_next_renewal_timestamp_seconds')
    const end = await minuteOf('certificate_not_after_timestamp_seconds')
    expect(due).toBeGreaterThan(5 * 60)
    await pass(30)
    await vault.seal()
    await pass(end + 20 - 30)
    await vault.unseal()
    await pass(80)
    await check({
      series: alone(recording),
      firing: {
        100: {},
        [due - 1]: { CalicoVaultAgentCaSetStale: 1 },
        // It has given way for an hour.
        [due + 64]: { CalicoVaultAgentCaSetStale: 1 },
        [due + 70]: { CalicoVaultAgentCaSetStale: 1, CalicoVaultAgentRenewalOverdue: 1 },
        [due + 85]: {
          CalicoVaultAgentCaSetStale: 1,
          CalicoVaultAgentRenewalOverdue: 1,
          CalicoVaultAgentRenewalFailing: 1,
          CalicoVaultAgentVaultErrors: 1,
        },
        [end - 150]: { CalicoVaultAgentRenewalOverdue: 1, CalicoVaultAgentRenewalFailing: 1 },
        [end - 130]: {
          CalicoVaultAgentRenewalOverdue: 1,
          CalicoVaultAgentRenewalFailing: 1,
          CalicoVaultAgentRunwayShort: 1,
        },
        [end + 5]: {
          CalicoVaultAgentCertificateExpired: 1,
          CalicoVaultAgentRenewalFailing: 1,
          CalicoVaultAgentVaultErrors: 1,
        },
        [end + 99]: {},
      },
    })
  }, 60_000)

  it('tell of a node that never got a certificate, until it has one', async () => {
    const { vault, recording, pass } = await simulateNode({ prepare: async (each) => await each.seal() })
    await pass(40)
    await vault.unseal()
    await pass(70)
    await check({
      series: alone(recording),
      firing: {
        4: {},
        6: { CalicoVaultAgentNeverPublished: 1 },
        35: { CalicoVaultAgentNeverPublished: 1, CalicoVaultAgentRenewalFailing: 1, CalicoVaultAgentVaultErrors: 1 },
        105: {},
      },
    })
  })

  it('tell what the gate refuses, with the runbook of its reason', async () => {
    const { api, agent, recording, pass } = await simulateNode()
    await pass(10)
    const { body } = await api.root('GET', 'pki/roles/calico-node')
    await api.root('POST', 'pki/roles/calico-node', { ...body.data, client_flag: false })
    agent.renewNow()
    await pass(40)
    const reason = 'not-client-auth'
    await check({
      series: alone(recording),
      firing: {
        20: {},
        28: { CalicoVaultAgentGateRejecting: 1 },
        45: { CalicoVaultAgentGateRejecting: 1, CalicoVaultAgentRenewalFailing: 1 },
      },
      sends: [
        {
          minute: 28,
          alert: 'CalicoVaultAgentGateRejecting',
          labels: { component: 'calico-node', reason, severity: 'warning' },
          annotations: {
            summary: `Certificates for calico-node are refused on 1 nodes: ${reason}`,
            description: 'What was signed would not work, so it is not published. What is published is kept.',
            runbook_url: `docs/runbook.md#${reason}`,
          },
        },
      ],
    })
  })

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
    await check({
      series: fleet(40, 4),
      firing: {
        15: {},
        40: { CalicoVaultAgentFleetFailing: 1, CalicoVaultAgentRenewalFailing: 4, CalicoVaultAgentVaultErrors: 1 },
      },
      sends: [
        {
          minute: 40,
          alert: 'CalicoVaultAgentFleetFailing',
          labels: { reason: 'vault-sealed', severity: 'critical' },
          annotations: {
            summary: '10% of all certificates cannot be renewed: vault-sealed',
            description: 'One cause for many nodes. Mend it before the first certificates expire.',
            runbook_url: 'docs/runbook.md#vault-sealed',
          },
        },
      ],
    })
    await check({ series: fleet(100, 4), firing: { 40: { CalicoVaultAgentRenewalFailing: 4 } } })
    // Two of five are more than a twentieth, but no fleet.
    await check({
      series: fleet(5, 2),
      firing: { 40: { CalicoVaultAgentRenewalFailing: 2, CalicoVaultAgentVaultErrors: 1 } },
    })
  })

  it('tell of what is published although etcd has not accepted it', async () => {
    const { recording, pass } = await simulateNode({
      env: { AGENT_ETCD_PROBE: 'warn', ETCD_ENDPOINTS: 'https://127.0.0.1:1' },
    })
    await pass(20)
    await check({ series: alone(recording), firing: { 10: {}, 18: { CalicoVaultAgentPublishedUnproven: 1 } } })
  })

  it('tell of a changed CA set, and of a CA that ends soon', async () => {
    const { api, recording, pass } = await simulateNode()
    await pass(10)
    await api.root('POST', 'pki/root/generate/internal', { common_name: 'next', key_type: 'ec', ttl: '480h' })
    await pass(140)
    await check({
      series: alone(recording),
      firing: { 60: {}, 145: { CalicoVaultAgentCaChangedSinceStart: 1, CalicoVaultAgentCaExpiresSoon: 1 } },
    })
  })

  it('tell of a token that the kubelet no longer renews, hours before it is needed', async () => {
    const { kubelet, recording, pass } = await simulateNode()
    await pass(30)
    kubelet.renewsToken = false
    await pass(40)
    await check({ series: alone(recording), firing: { 35: {}, 50: { CalicoVaultAgentTokenStale: 1 } } })
  })

  it('tell of a clock that is wrong', async () => {
    const { vault, recording, pass } = await simulateNode()
    await pass(10)
    vault.faults.inject({ dateOffsetSeconds: 40 })
    await pass(80)
    await check({ series: alone(recording), firing: { 10: {}, 85: { CalicoVaultAgentClockSkew: 1 } } })
  })

  it('tell of an agent whose loop stands still', async () => {
    const { agent, clock, recording, pass } = await simulateNode()
    await pass(10)
    await agent.stop()
    await recordMinutes(recording, 30, agent.scrape, clock)
    await check({
      series: alone(recording),
      firing: { 24: {}, 35: { CalicoVaultAgentStalled: 1, CalicoVaultAgentTokenStale: 1 } },
    })
  })

  it('tell of an agent that cannot be scraped, and of a calico-node without one', async () => {
    const { recording, pass } = await simulateNode()
    await pass(30)
    await check({
      series: [
        ...alone(recording),
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
    await check({
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

  it('are all shown above', () => {
    expect([...shown].toSorted()).toEqual(
      readAlerts()
        .map(({ alert }) => alert)
        .toSorted(),
    )
  })
})
