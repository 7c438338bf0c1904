import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Config, parseConfig } from '../../../agent/config/config.ts'
import { refusedVariables } from '../../../agent/config/unknown-variables.ts'
import { variables } from '../../../agent/config/variables.ts'
import { ConfigError } from '../../../agent/core/errors.ts'
import { smallest } from './environment.ts'

const name = fc.oneof(fc.constantFrom(...Object.keys(variables), ...Object.keys(refusedVariables)), fc.string())
const sensible = fc.constantFrom(
  'on',
  'off',
  'true',
  '0',
  '0.5',
  '1h',
  '0400',
  '/a',
  'a=/b',
  '{node}',
  'https://v',
  'jwt',
)
const value = fc.option(fc.oneof(sensible, fc.string({ unit: 'binary' })), { nil: undefined })
const environments = fc.array(fc.tuple(name, value)).map((entries) => ({ ...smallest, ...Object.fromEntries(entries) }))

/** A configuration, or the problems; anything else that is thrown fails the test. */
function outcome(env: Parameters<typeof parseConfig>[0], hostName: string): Config | readonly string[] {
  try {
    return parseConfig(env, hostName)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

test('any environment gives a configuration with targets, or a ConfigError with problems', () => {
  fc.assert(
    fc.property(environments, fc.string(), (env, hostName) => {
      const result = outcome(env, hostName)
      expect('targets' in result ? result.targets.length : result.length).toBeGreaterThan(0)
    }),
    { numRuns: 1000 },
  )
})

test('what is accepted becomes paths and headers that cannot be led astray', () => {
  fc.assert(
    fc.property(environments, (env) => {
      const config = outcome(env, 'host1')
      fc.pre('targets' in config)
      for (const { pkiRole, directory } of config.targets) {
        expect(pkiRole).toMatch(/^\w([\w.-]*\w)?$/)
        expect(directory).toMatch(/^\//)
      }
      expect(config.pki.mount.split('/')).not.toContain('..')
      expect(config.vault?.namespace ?? 'a').toMatch(/^[\x21-\x7e]+$/)
    }),
    { numRuns: 1000, maxSkipsPerRun: 1000 },
  )
})
