import { expect, test } from 'vitest'
import { summaryText } from '../../../agent/cli/doctor.ts'
import type { Finding, Status } from '../../../agent/operator/doctor/check.ts'

test.each<[Status[], string]>([
  [['ok'], '1 ok'],
  [['ok', 'warning', 'skipped'], '1 ok, 1 warning, 1 skipped'],
  [['failure', 'warning', 'warning'], '0 ok, 2 warnings, 1 failure'],
  [['failure', 'failure'], '0 ok, 2 failures'],
])('%j', (statuses, text) => {
  const findings = statuses.map((status): Finding => ({ check: 'a', title: 'a', target: undefined, status, saw: '' }))
  expect(summaryText(findings, (each) => each)).toBe(text)
})
