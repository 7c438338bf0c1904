import type { ExportFormat } from '../cli/setup-vault-options.ts'
import type { Setup } from './setup.ts'
export function exportSetup(_s: Setup, _f: ExportFormat, _v: string): string {
  return ''
}
