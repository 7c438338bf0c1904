/** Proves of the alerts of a single node that they fire on what a real agent says when they should, and not otherwise. */
import { describe, expect, it } from 'vitest'
import { hasPromtool } from '../../support/promtool.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { type Recording, recordMinutes, targetOf } from './recording.ts'
import { type RuleTest, sent, testRules } from './rules.ts'
import { simulateNode } from './simulated-node.ts'

const leftOut = hasPromtool ? '' : ' (left out: no promtool)'
const alone = (recording: Recording): RuleTest['series'] => recording.as(targetOf('node1'))

describe.skipIf(!hasPromtool)(`the alerts${leftOut}`, () => {
  it('are silent on a healthy node, through its renewals', async () => {
    const { agent, recording, pass } = await simulateNode()
    await pass(36 * 60)
    expect(agent.events.filter(({ type }) => type === 'published').length).toBeGreaterThan(2)
    const everyHour = Array.from({ length: 35 }, (_, hour) => [(hour + 1) * 60, {}] as const)
    await testRules({ series: alone(recording), firing: Object.fromEntries(everyHour) })
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
    await testRules({
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
    await testRules({
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
    await testRules({
      series: alone(recording),
      firing: {
        20: {},
        28: { CalicoVaultAgentGateRejecting: 1 },
        45: { CalicoVaultAgentGateRejecting: 1, CalicoVaultAgentRenewalFailing: 1 },
      },
      sends: [
        sent(
          28,
          'CalicoVaultAgentGateRejecting',
          { component: 'calico-node', reason, severity: 'warning' },
          {
            summary: `Certificates for calico-node are refused: ${reason} (nodes: 1)`,
            runbook_url: `docs/runbook.md#${reason}`,
          },
        ),
      ],
    })
  })

  it('tell of what is published although etcd has not accepted it', async () => {
    const { recording, pass } = await simulateNode({
      env: { AGENT_ETCD_PROBE: 'warn', ETCD_ENDPOINTS: 'https://127.0.0.1:1' },
    })
    await pass(20)
    await testRules({ series: alone(recording), firing: { 10: {}, 18: { CalicoVaultAgentPublishedUnproven: 1 } } })
  })

  it('tell of a node whose CNI plugin has no certificate', async () => {
    const { recording, pass } = await simulateNode({
      env: { AGENT_HOST_CNI_DIR: tempDir(), AGENT_HOST_CNI_COMPONENT: 'calico-node', AGENT_TTL: '1h' },
    })
    await pass(20)
    // Of the lifetime, 15 % are 9 minutes.
    const firing = { 10: {}, 18: { CalicoVaultAgentHostCopyStale: 1, CalicoVaultAgentHostCopyEnding: 1 } }
    await testRules({ series: alone(recording), firing })
  })

  it('tell of consumers that do not learn of a publication', async () => {
    const { agent, recording, pass } = await simulateNode({ env: { AGENT_ON_PUBLISH: 'SIGHUP:/no/such/pid-file' } })
    // It may come before or after the heartbeat that the simulation begins with.
    if (!agent.events.some(({ type }) => type === 'on-publish-failed')) await agent.nextEvent('on-publish-failed')
    await pass(20)
    await testRules({ series: alone(recording), firing: { 10: {}, 18: { CalicoVaultAgentConsumersNotTold: 1 } } })
  })

  it('tell of a target that has certificates made again and again', async () => {
    const { agent, recording, pass } = await simulateNode({ env: { AGENT_ISSUANCE_BUDGET: '3' } })
    for (let renewal = 0; renewal < 2; renewal++) {
      await pass(2)
      agent.renewNow()
      await agent.nextEvent('published', ({ reason }) => reason === 'renewal-requested')
    }
    await pass(20)
    await testRules({ series: alone(recording), firing: { 3: {}, 15: { CalicoVaultAgentBudgetSpent: 1 } } })
  })

  it('tell of a changed CA set, and of a CA that ends soon', async () => {
    const { api, recording, pass } = await simulateNode()
    await pass(10)
    await api.root('POST', 'pki/root/generate/internal', { common_name: 'next', key_type: 'ec', ttl: '480h' })
    await pass(140)
    await testRules({
      series: alone(recording),
      firing: { 60: {}, 145: { CalicoVaultAgentCaChangedSinceStart: 1, CalicoVaultAgentCaExpiresSoon: 1 } },
    })
  })

  it('tell of a token that the kubelet no longer renews, hours before it is needed', async () => {
    const { kubelet, recording, pass } = await simulateNode()
    await pass(30)
    kubelet.renewsToken = false
    await pass(40)
    await testRules({ series: alone(recording), firing: { 35: {}, 50: { CalicoVaultAgentTokenStale: 1 } } })
  })

  it('tell of a clock that is wrong', async () => {
    const { agent, vaultClock, recording, pass } = await simulateNode()
    await pass(10)
    vaultClock.aheadMs = 40_000
    agent.renewNow()
    await pass(80)
    await testRules({ series: alone(recording), firing: { 10: {}, 85: { CalicoVaultAgentClockSkew: 1 } } })
  })

  it('tell of an agent whose loop stands still', async () => {
    const { agent, clock, recording, pass } = await simulateNode()
    await pass(10)
    await agent.stop()
    await recordMinutes(recording, 30, agent.scrape, clock)
    await testRules({
      series: alone(recording),
      firing: { 24: {}, 35: { CalicoVaultAgentStalled: 1, CalicoVaultAgentTokenStale: 1 } },
    })
  })
})
