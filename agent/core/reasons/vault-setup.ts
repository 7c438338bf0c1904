/** Owns the reasons why Vault cannot be set up. */
import type { Reason } from '../reason.ts'

const setup = (summary: string, advice: string): Reason => ({ about: 'setup', retry: 'refused', summary, advice })

export const setupReasons = {
  'setup-denied': setup(
    'the token may not set Vault up',
    'Use the token of an administrator, or give it the policy manifests/vault/operator.hcl.',
  ),
  'setup-refused': setup(
    'Vault does not take what the setup comes to',
    'Correct the file and apply again; what was done until here stays done.',
  ),
  'setup-conflict': setup(
    'Vault holds something that setup-vault did not make and will not change',
    'Do what the message says; --adopt takes over what is there.',
  ),
  'setup-contended': setup(
    'Vault does not keep what was just written',
    'Look for a second setup-vault or Terraform with other values; a server that is too old forgets fields that it does not know.',
  ),
} as const satisfies Record<string, Reason>
