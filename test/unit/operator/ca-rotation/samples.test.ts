/** What an agent serves on /metrics is what a rotation reads: the text of the agent's own registry. */
import { expect, it } from 'vitest'
import { parseSamples, viewOf } from '../../../../agent/operator/ca-rotation/samples.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { createToldMetrics } from '../../../support/told-metrics.ts'
import { sampleCertificate, sampleEvents, sampleNow, stateOf } from '../../sidecar/observe/sample-events.ts'

const metricsOf = (...components: readonly string[]) =>
  createToldMetrics({ components, version: '1.2.3', clock: createFakeClock(sampleNow) })

it('finds node, set, uses and what etcd said', async () => {
  const metrics = metricsOf('calico-node', 'calico-cni')
  const { ca } = sampleCertificate
  const odd = String.raw`a "CA" {of} \ slashes`
  const [first] = ca.certificates
  const certificates = first === undefined ? [] : [{ ...first, subject: odd }]
  const hostCopied = {
    type: 'host-copied',
    path: '/',
    written: true,
    serialNumber: '1',
    notAfterMs: sampleNow,
  } as const
  const times = { atMs: sampleNow, firstAtMs: sampleNow, retryAtMs: sampleNow }
  const failure = { reason: 'etcd-rejected-certificate', detail: '', ...times } as const
  for (const event of [
    sampleEvents.started,
    stateOf({ certificate: { ...sampleCertificate, ca: { ...ca, certificates } } }),
    { ...hostCopied, component: 'calico-cni' },
    stateOf({ failure }, 'calico-cni'),
    { type: 'heartbeat', component: 'calico-cni', nextStepAtMs: sampleNow } as const,
  ]) {
    metrics.listener(event)
  }
  const nothing = { addedAtMs: 0, consumerStartedAtMs: undefined, ca: [], caCount: 0, changedSinceStart: false }
  for (const accept of ['', 'application/openmetrics-text']) {
    const view = viewOf('here', parseSamples((await metrics.expose(accept)).text))
    expect(view).toEqual({
      where: 'here',
      node: 'node1',
      heardAtMs: sampleNow,
      targets: [
        { ...nothing, component: 'calico-cni', isCopyInStep: true, isRefusedByEtcd: true },
        {
          component: 'calico-node',
          ca: [{ ...first, subject: odd }],
          caCount: 2,
          addedAtMs: ca.addedAtMs,
          changedSinceStart: true,
          isCopyInStep: undefined,
          isRefusedByEtcd: false,
          consumerStartedAtMs: undefined,
        },
      ],
    })
  }
})

it('tells an agent without a certificate from a page that is none', async () => {
  const { text } = await metricsOf('calico-node').expose('')
  expect(viewOf('here', parseSamples(text))?.targets).toMatchObject([{ component: 'calico-node', ca: [], caCount: 0 }])
  for (const page of ['', '<html>404</html>', 'node_load1 0.5\n', 'up 1\n{} 2\n"x"']) {
    expect(viewOf('here', parseSamples(page))).toBeUndefined()
  }
})

it('takes a use that is no number for one without an end', () => {
  const page = `calico_vault_agent_ca_changed_since_start{component="x"} 0
calico_vault_agent_ca_in_use_until_timestamp_seconds{component="x",fingerprint="f",subject="s"} Nope\n`
  expect(viewOf('here', parseSamples(page))?.targets[0]?.ca[0]?.inUseUntilMs).toBe(Number.POSITIVE_INFINITY)
})
