/** Owns the options that every `plan` and `apply` has. */
import { type Command, Option } from 'commander'

export function addPlanOptions(command: Command, action: string): void {
  if (action === 'plan') command.option('--detailed-exitcode', 'end with 2 if something differs, else with 0')
  if (action === 'apply') command.option('--yes', 'do not ask; needed outside a terminal')
  if (action === 'plan' || action === 'apply') command.addOption(outputOption())
}

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'for people or for programs').choices(['text', 'json']).default('text')
}
