import { afterEach, expect, it, vi } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { runbookOf } from '../../../agent/core/reason.ts'

afterEach(() => vi.unstubAllEnvs())

it('links to the file of this project, where nobody names another place', () => {
  vi.stubEnv('AGENT_RUNBOOK_URL', ' ')
  expect(runbookOf('vault-sealed')).toBe('docs/runbook.md#vault-sealed')
})

it('links to the copy that AGENT_RUNBOOK_URL names, before that of the build', () => {
  vi.stubEnv('RUNBOOK_URL_OF_BUILD', 'https://build.example.org/runbook')
  expect(runbookOf('CalicoVaultAgentDown')).toBe('https://build.example.org/runbook#calicovaultagentdown')
  vi.stubEnv('AGENT_RUNBOOK_URL', 'https://wiki.example.org/runbook')
  expect(new AgentError('vault-sealed', 'x').runbook).toBe('https://wiki.example.org/runbook#vault-sealed')
})
