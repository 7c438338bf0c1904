/** Owns the options of `setup-vault`. */
import type { Command } from 'commander'
import { type ExportFormat, exportFormats } from '../operator/vault-setup/setup.ts'
import { type ConnectionSettings, type GivenConnection, readConnection, vaultOptions } from './connection-options.ts'
import { addOptions, choice, filled, noPlanOptions, type OptionRow, type PlanOptions, planOptions } from './options.ts'

type Action = SetupVaultOptions['action']

export interface SetupVaultOptions extends PlanOptions {
  readonly action: 'plan' | 'apply' | 'export'
  readonly file: string
  readonly adopt: boolean
  readonly writeSecrets: boolean
  readonly format: ExportFormat
  readonly connection: ConnectionSettings
}

/** As commander reads them. */
type Given = Pick<SetupVaultOptions, 'file'> & Partial<SetupVaultOptions> & GivenConnection

const notGiven = { ...noPlanOptions, adopt: false, writeSecrets: false, format: exportFormats[0] }

export function addSetupVault(add: (action: Action) => Command, done: (options: SetupVaultOptions) => void): void {
  for (const action of ['plan', 'apply', 'export'] as const) {
    addOptions(add(action), rowsOf(action)).action((given: Given) =>
      done({ ...notGiven, ...given, action, connection: readConnection(given) }),
    )
  }
}

function rowsOf(action: Action): readonly OptionRow[] {
  const file: OptionRow = ['--file <file>', 'what is wanted, in YAML (docs/vault.md)', filled, 'setup-vault.yaml']
  if (action === 'export') {
    const formats =
      'shell: a script of vault commands; terraform; hcl: the policies; json: the requests; env: the variables of each agent; operator: a policy for the token of apply'
    return [file, choice('--format <format>', formats, exportFormats)]
  }
  return [
    file,
    ['--adopt', 'take over what setup-vault did not make'],
    ['--write-secrets', "also write what Vault does not show: the reviewer's token"],
    ...vaultOptions,
    ...planOptions(action),
  ]
}
