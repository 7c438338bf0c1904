/**
 * Owns the command `setup-vault`, and the bundle dist/setup-vault.mjs that is loaded for it alone: look, show, ask, do, and
 * say what was done.
 */
import { withVaultTools } from '../config/tool-variables.ts'
import { parseSetupVaultConfig } from '../config/vault.ts'
import { ConfigError, messageOf } from '../core/errors.ts'
import { readSmallFile, systemFiles } from '../core/files.ts'
import { version } from '../core/version.ts'
import { openVaultAdmin } from '../operator/vault-setup/admin.ts'
import { applySetup, examineSetup } from '../operator/vault-setup/apply.ts'
import { pkiCaHint } from '../operator/vault-setup/ca.ts'
import { type Change, wording } from '../operator/vault-setup/changes.ts'
import { exportSetup } from '../operator/vault-setup/export.ts'
import { readNamedFiles } from '../operator/vault-setup/files.ts'
import { explainDenial, neededRights } from '../operator/vault-setup/rights.ts'
import type { Setup } from '../operator/vault-setup/setup.ts'
import { parseSetup } from '../operator/vault-setup/setup-file.ts'
import { exitCodes } from './exit.ts'
import { type PlanTarget, type PlanView, planOrApply } from './plan-command.ts'
import type { SetupVaultOptions } from './setup-vault-options.ts'
import { refuseUnasked } from './terminal.ts'

export async function setupVault(options: SetupVaultOptions): Promise<number> {
  const { action } = options
  if (action === 'apply') refuseUnasked('setup-vault apply', options)
  const setup = readSetup(options.file)
  if (action === 'export') {
    process.stdout.write(exportSetup(setup, options.format, version))
    return exitCodes.ok
  }
  const config = parseSetupVaultConfig(withVaultTools({ ...process.env, ...options.connection }))
  const files = readNamedFiles(setup, options.file)
  const api = openVaultAdmin(config)
  const target: PlanTarget<Change, PlanView<Change>> = {
    examine: async () => ({ plan: await examineSetup(api, setup, files, options) }),
    async apply({ plan: seen }, changed) {
      const { plan, request } = await applySetup(api, setup, files, { ...options, changed }, seen)
      if (request !== undefined) return { after: { plan }, request }
      return { after: { plan }, hint: pkiCaHint(config.vault, setup.pki.mount) }
    },
    wording,
  }
  try {
    return await planOrApply(target, { ...options, action })
  } catch (error) {
    throw await explainDenial(error, api, neededRights(setup))
  } finally {
    api.close()
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
