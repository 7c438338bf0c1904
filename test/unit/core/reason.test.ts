import { afterEach, expect, it, test, vi } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { doctorPageOf, runbookOf } from '../../../agent/core/reason.ts'

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

test.each([
  ['', 'docs/doctor.md#mount'],
  ['https://git.example.org/blob/main/docs/runbook.md', 'https://git.example.org/blob/main/docs/doctor.md#mount'],
  ['https://runbook.example.org/docs/runbook.html', 'https://runbook.example.org/docs/doctor.html#mount'],
  ['https://wiki.example.org/runbook/', 'https://wiki.example.org/doctor/#mount'],
  ['https://wiki.example.org/calico', 'docs/doctor.md#mount'],
  ['https://wiki.example.org/show?page=7', 'docs/doctor.md#mount'],
])('with the runbook at %j, the checks are told about at %s', (runbook, page) => {
  vi.stubEnv('AGENT_RUNBOOK_URL', runbook)
  expect(doctorPageOf('mount')).toBe(page)
})
