/**
 * Owns the command `setup-vault`, and the bundle dist/setup-vault.js that is loaded for it alone: look, show, ask, do, and
 * say what was done.
 */
import { parseSetupVaultConfig, type SetupVaultConfig } from '../config/vault.ts'
import { ConfigError, messageOf } from '../core/errors.ts'
import { readSmallFile, systemFiles } from '../core/files.ts'
import { version } from '../core/version.ts'
import { openVaultAdmin } from '../operator/vault-setup/admin.ts'
import { applySetup, examineSetup } from '../operator/vault-setup/apply.ts'
import type { Change } from '../operator/vault-setup/changes.ts'
import { exportSetup } from '../operator/vault-setup/export.ts'
import { readNamedFiles } from '../operator/vault-setup/files.ts'
import { explainDenial } from '../operator/vault-setup/rights.ts'
import type { Setup } from '../operator/vault-setup/setup.ts'
import { parseSetup } from '../operator/vault-setup/setup-file.ts'
import { exitCodes } from './exit-codes.ts'
import { reportFailure } from './failure.ts'
import { parseSetupVaultOptions, type SetupVaultOptions } from './setup-vault-options.ts'
import { isInStep, setupChangeJson, setupChangeLine, setupPlanJson, setupPlanText } from './setup-vault-output.ts'
import { agrees, painter, refuseUnasked } from './terminal.ts'

const print = (text: string): boolean => process.stdout.write(text)
const printJson = (value: object): boolean => print(`${JSON.stringify(value, null, 2)}\n`)

export async function setupVault(argv: readonly string[]): Promise<number> {
  try {
    const options = parseSetupVaultOptions(argv)
    if (options.action === 'apply') refuseUnasked('setup-vault apply', options.yes)
    const setup = readSetup(options.file)
    if (options.action === 'export') {
      print(exportSetup(setup, options.format, version))
      return exitCodes.ok
    }
    return await onVault(parseSetupVaultConfig(process.env), setup, options)
  } catch (error) {
    return reportFailure(error)
  }
}

function readSetup(file: string): Setup {
  let text: string
  try {
    text = readSmallFile(systemFiles, file)
  } catch (error) {
    throw new ConfigError([`--file: ${messageOf(error)}; docs/vault.md shows one`])
  }
  const { value, problems } = parseSetup(text)
  if (problems.length > 0 || value === undefined) throw new ConfigError(problems.map((each) => `${file}:${each}`))
  return value
}

async function onVault(config: SetupVaultConfig, setup: Setup, options: SetupVaultOptions): Promise<number> {
  const files = readNamedFiles(setup, options.file)
  const api = openVaultAdmin(config)
  const work = options.action === 'plan' ? plan : apply
  try {
    return await work(api, setup, files, options)
  } catch (error) {
    throw await explainDenial(error, api, setup)
  } finally {
    api.close()
  }
}

type Work = (
  api: ReturnType<typeof openVaultAdmin>,
  setup: Setup,
  files: ReadonlyMap<string, string>,
  options: SetupVaultOptions,
) => Promise<number>

const plan: Work = async (api, setup, files, options) => {
  const found = await examineSetup(api, setup, files, options)
  if (options.output === 'json') printJson(setupPlanJson(found))
  else print(setupPlanText(found, paint()))
  return isInStep(found) ? exitCodes.ok : exitCodes.differences
}

const apply: Work = async (api, setup, files, options) => {
  const isText = options.output === 'text'
  const first = await examineSetup(api, setup, files, options)
  if (isText) print(setupPlanText(first, paint()))
  // Where the plan is refused there is nothing to agree to.
  if (!options.yes && first.refusals.length === 0 && first.changes.length > 0 && !(await agrees('Apply this?'))) {
    print('Nothing was changed.\n')
    return exitCodes.ok
  }
  const done: Change[] = []
  const changed = (change: Change): void => {
    done.push(change)
    if (isText) print(setupChangeLine(change, paint()))
  }
  const { plan: last, request } = await applySetup(api, setup, files, { ...options, changed }, first)
  if (isText) {
    print(paint()(`Done: ${done.length} changes.\n`, 'bold'))
    if (request !== undefined) print(`${request}\n`)
  } else {
    printJson({
      ...setupPlanJson(last),
      changes: done.map(setupChangeJson),
      ...(request === undefined ? {} : { request }),
    })
  }
  return exitCodes.ok
}

function paint() {
  return painter(process.stdout.isTTY, process.env)
}
