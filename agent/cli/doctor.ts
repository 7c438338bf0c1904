/** Owns the command `doctor`: looks at everything that the agent needs, changes nothing, says what is wrong and what to do. */
import { hostname } from 'node:os'
import { withVaultTools, withVaultToolsForAgent } from '../config/tool-variables.ts'
import { systemClock } from '../core/clock.ts'
import { ConfigError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import { openAccess } from '../operator/doctor/access.ts'
import type { Finding } from '../operator/doctor/check.ts'
import { configuration, createChecks } from '../operator/doctor/checks.ts'
import { type DoctorConfig, readDoctorConfig } from '../operator/doctor/config.ts'
import { examine, failedConfiguration } from '../operator/doctor/examine.ts'
import type { DoctorOptions } from './command-line.ts'
import { exitCodeOf, findingsJson, findingText, summaryText } from './doctor-output.ts'
import { reportFailure } from './exit.ts'
import { painter } from './terminal.ts'

/** An operator waits: what has not answered by then is as good as down. */
const requestMs = 5000
/** A check makes a few requests. */
const checkMs = 15_000

const print = (text: string): boolean => process.stdout.write(text)

export async function doctor(options: DoctorOptions): Promise<number> {
  try {
    // grpc-js names the TLS server by its address; Node says on standard error that RFC 6066 has no addresses there.
    process.noDeprecation = true
    const paint = painter(process.stdout.isTTY, process.env)
    const show = (finding: Finding): void => {
      if (options.output === 'text') print(`${findingText(finding, paint)}\n`)
    }
    const findings = await findAll(options, show)
    print(
      options.output === 'json'
        ? `${JSON.stringify(findingsJson(findings), null, 2)}\n`
        : `\n${summaryText(findings, paint)}\n`,
    )
    return exitCodeOf(findings)
  } catch (error) {
    return reportFailure(error)
  }
}

async function findAll(
  { signs, consumer, connection }: DoctorOptions,
  found: (finding: Finding) => void,
): Promise<Finding[]> {
  const checks = createChecks(consumer)
  let read: DoctorConfig
  try {
    read = readDoctorConfig(withVaultToolsForAgent({ ...process.env, ...connection }), hostname())
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const findings = failedConfiguration(configuration, checks, error.problems)
    for (const finding of findings) found(finding)
    return findings
  }
  const { vault, ...rest } = read.config
  const config = { ...rest, vault: vault && { ...vault, timeoutMs: Math.min(vault.timeoutMs, requestMs) } }
  const { VAULT_TOKEN: token } = withVaultTools({ ...process.env, ...connection })
  const operatorToken = token === undefined || token.trim() === '' ? undefined : new Secret(token.trim())
  const access = openAccess({ ...read, config, clock: systemClock, signs, operatorToken })
  try {
    return await examine({ checks, targets: config.targets, access, limitMs: checkMs, found })
  } finally {
    access.close()
  }
}
