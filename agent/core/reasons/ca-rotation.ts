/** Owns the reasons why a CA rotation does not go on. */
import type { Reason, RetryClass } from '../reason.ts'

const rotation = (retry: RetryClass, summary: string, advice: string): Reason => ({
  about: 'rotation',
  retry,
  summary,
  advice,
})

export const rotationReasons = {
  'rotation-refused': rotation(
    'refused',
    'the CA rotation must not go on',
    'Do what the message says, then run the same command again: it goes on from what Vault and the agents say.',
  ),
  'rotation-waiting': rotation(
    'awaited',
    'the CA rotation still waits',
    'Run the same command again, or with a longer --wait: it goes on from what Vault and the agents say.',
  ),
  'rotation-contended': rotation(
    'refused',
    'the issuers of Vault were changed by somebody else in the meantime',
    'Look for a second rotate-ca or Terraform, then run the same command again.',
  ),
  'rotation-denied': rotation(
    'refused',
    'the token may not rotate the CA',
    'Give it the policy in docs/ca-rotation.md.',
  ),
  'prometheus-failed': rotation(
    'outage',
    'Prometheus does not tell what the agents say',
    'Check --prometheus, its token and --selector, or name the agents themselves with --agents.',
  ),
} as const satisfies Record<string, Reason>
