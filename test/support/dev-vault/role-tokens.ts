/** Owns the `token_*` fields that the roles of every auth method share. */

import { refusal } from './failure.ts'
import { durationField, flagField, has, listField, numberField, textField } from './fields.ts'
import type { Fields, TokenSettings } from './logical.ts'

export function readTokenSettings(data: Fields): TokenSettings {
  const type = textField(data, 'token_type', 'default')
  const settings: TokenSettings = {
    policies: listField(data, has(data, 'token_policies') ? 'token_policies' : 'policies').map((name) =>
      name.toLowerCase(),
    ),
    noDefaultPolicy: flagField(data, 'token_no_default_policy'),
    ttlSeconds: durationField(data, 'token_ttl', durationField(data, 'ttl')),
    maxTtlSeconds: durationField(data, 'token_max_ttl', durationField(data, 'max_ttl')),
    explicitMaxTtlSeconds: durationField(data, 'token_explicit_max_ttl'),
    periodSeconds: durationField(data, 'token_period'),
    numUses: numberField(data, 'token_num_uses'),
    type: type === 'batch' || type === 'default-batch' ? 'batch' : 'service',
  }
  if (!['', 'default', 'service', 'batch', 'default-service', 'default-batch'].includes(type)) {
    throw refusal(`invalid 'token_type' value "${type}"`)
  }
  if (settings.type === 'batch' && settings.periodSeconds !== 0) {
    throw refusal("'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens")
  }
  if (settings.type === 'batch' && settings.numUses !== 0) {
    throw refusal(
      "'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with limited use count",
    )
  }
  if (settings.ttlSeconds > 0 && settings.maxTtlSeconds > 0 && settings.ttlSeconds > settings.maxTtlSeconds) {
    throw refusal("'token_ttl' cannot be greater than 'token_max_ttl'")
  }
  return settings
}

/** How a role is read back. */
export function writeTokenSettings(settings: TokenSettings): object {
  return {
    token_bound_cidrs: [],
    token_explicit_max_ttl: settings.explicitMaxTtlSeconds,
    token_max_ttl: settings.maxTtlSeconds,
    token_no_default_policy: settings.noDefaultPolicy,
    token_num_uses: settings.numUses,
    token_period: settings.periodSeconds,
    token_policies: settings.policies,
    token_ttl: settings.ttlSeconds,
    token_type: settings.type === 'batch' ? 'batch' : 'default',
  }
}
