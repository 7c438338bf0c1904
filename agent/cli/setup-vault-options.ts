/** Owns the arguments of `setup-vault`. */
import { type ExportFormat, exportFormats } from '../operator/vault-setup/export.ts'
import { choice, filled, parseAction, parseArguments, refuseMeaningless } from './arguments.ts'

const actions = ['plan', 'apply', 'export'] as const
type Action = (typeof actions)[number]

export interface SetupVaultOptions {
  readonly action: Action
  readonly file: string
  readonly adopt: boolean
  readonly writeSecrets: boolean
  readonly yes: boolean
  readonly output: 'text' | 'json'
  readonly format: ExportFormat
}

const flags = {
  file: { type: 'string' },
  adopt: { type: 'boolean' },
  'write-secrets': { type: 'boolean' },
  yes: { type: 'boolean' },
  output: { type: 'string' },
  format: { type: 'string' },
} as const

const only: Readonly<Record<string, readonly Action[]>> = {
  adopt: ['plan', 'apply'],
  'write-secrets': ['plan', 'apply'],
  yes: ['apply'],
  output: ['plan', 'apply'],
  format: ['export'],
}

/** @throws UsageError */
export function parseSetupVaultOptions(argv: readonly string[]): SetupVaultOptions {
  const { values, positionals } = parseArguments('setup-vault', argv, flags)
  const action = parseAction('setup-vault', positionals, actions)
  refuseMeaningless('setup-vault', action, values, only)
  return {
    action,
    file: filled('file', values.file) ?? 'setup-vault.yaml',
    adopt: values.adopt ?? false,
    writeSecrets: values['write-secrets'] ?? false,
    yes: values.yes ?? false,
    output: choice('output', values.output, ['text', 'json']),
    format: choice('format', values.format, exportFormats),
  }
}
