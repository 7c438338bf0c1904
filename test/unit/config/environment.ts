/** Owns environments for the tests of the configuration: the smallest good one, and what is wrong with others. */
import { type Config, parseConfig } from '../../../agent/config/config.ts'
import type { Environment } from '../../../agent/config/reader.ts'
import { ConfigError } from '../../../agent/core/errors.ts'

export const smallest: Environment = { VAULT_ADDR: 'https://vault.example.org:8200', NODE_NAME: 'node1' }

/** The smallest good environment with changes; a variable with undefined is not set. */
export function parse(changes: Environment = {}, hostName = 'host1'): Config {
  const env = Object.fromEntries(Object.entries({ ...smallest, ...changes }).filter(([, value]) => value !== undefined))
  return parseConfig(env, hostName)
}

/** The problems of the smallest good environment with changes. */
export function problemsOf(changes: Environment, hostName = 'host1'): readonly string[] {
  try {
    parse(changes, hostName)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}
