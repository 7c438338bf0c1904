/** Owns the way to Vault of `setup-vault`: the variables of Vault's own CLI, and an administrator's token. */
import { ConfigError } from '../errors.ts'
import type { Secret } from '../secret.ts'
import { readVaultToken } from './auth.ts'
import { refuseUnknown } from './config.ts'
import { type Environment, EnvironmentReader } from './reader.ts'
import { readVaultAddress, type VaultAddress } from './vault.ts'

export interface SetupVaultConfig {
  readonly vault: VaultAddress
  readonly token: Secret
}

/** @throws ConfigError with every problem */
export function parseSetupVaultConfig(env: Environment): SetupVaultConfig {
  const reader = new EnvironmentReader(env)
  refuseUnknown(reader, env)
  const vault = readVaultAddress(reader)
  const token = readVaultToken(reader)
  if (!reader.isSet('VAULT_TOKEN')) reader.problem('VAULT_TOKEN', "is required: an administrator's token")
  if (reader.problems.length > 0 || token === undefined) throw new ConfigError(reader.problems)
  return { vault, token }
}
