/** Owns the options of `setup-vault`. */
import { type Command, Option } from 'commander'
import { type ExportFormat, exportFormats } from '../operator/vault-setup/setup.ts'
import { addVaultOptions, type ConnectionSettings, type GivenConnection, readConnection } from './connection-options.ts'
import { UsageError } from './failure.ts'
import { addPlanOptions } from './plan-options.ts'

type Action = SetupVaultOptions['action']

export interface SetupVaultOptions {
  readonly action: 'plan' | 'apply' | 'export'
  readonly file: string
  readonly adopt: boolean
  readonly writeSecrets: boolean
  readonly yes: boolean
  readonly detailedExitcode: boolean
  readonly output: 'text' | 'json'
  readonly format: ExportFormat
  readonly connection: ConnectionSettings
}

export function addSetupVault(add: (action: Action) => Command, done: (options: SetupVaultOptions) => void): void {
  for (const action of ['plan', 'apply', 'export'] as const) {
    const command = add(action)
    command.option('--file <file>', 'what is wanted, in YAML (docs/vault.md)', 'setup-vault.yaml')
    if (action === 'export') {
      command.addOption(
        new Option(
          '--format <format>',
          'shell: a script of vault commands; terraform; hcl: the policies; json: the requests; env: the variables of each agent; operator: a policy for the token of apply',
        )
          .choices(exportFormats)
          .default(exportFormats[0]),
      )
    } else {
      command
        .option('--adopt', 'take over what setup-vault did not make')
        .option('--write-secrets', "also write what Vault does not show: the reviewer's token")
      addVaultOptions(command)
    }
    addPlanOptions(command, action)
    command.action((raw: Partial<SetupVaultOptions> & GivenConnection) => {
      const { file = '', adopt = false, writeSecrets = false, yes = false, output = 'text' } = raw
      if (file === '') throw new UsageError('--file is empty')
      const { format = exportFormats[0], detailedExitcode = false } = raw
      const connection = readConnection(raw)
      done({ action, file, adopt, writeSecrets, yes, detailedExitcode, output, format, connection })
    })
  }
}
