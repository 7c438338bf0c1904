import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { describe } from '../../../../agent/sidecar/observe/describe.ts'
import type { AgentEvent } from '../../../../agent/sidecar/observe/events.ts'
import type { Level } from '../../../../agent/sidecar/observe/log-line.ts'
import { missingTerminal } from '../../../support/terminal.ts'
import { sampleEvents, sampleNow } from './sample-events.ts'

/** What a process of its own prints for the events: the log writes to standard output. */
function printed(level: Level, format: 'json' | 'pretty' | undefined, events: readonly AgentEvent[]): string {
  const script = `
    import { createLog } from './agent/sidecar/observe/log.ts'
    const log = createLog(${JSON.stringify({ level, format })}, { now: () => ${sampleNow} })
    for (const event of JSON.parse(process.argv[1])) log(event)`
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module-typescript', '--eval', script, JSON.stringify(events)],
    { encoding: 'utf8' },
  )
  expect(stderr).toBe('')
  return stdout
}

const all = Object.values(sampleEvents)
const isTold = (levels: readonly Level[]) => (event: AgentEvent) => {
  const level = describe(event, sampleNow)?.level
  return level !== undefined && levels.includes(level)
}

test('JSON: one line an event, with time, level, event, message and fields', () => {
  const lines = printed('debug', 'json', all).trimEnd().split('\n')
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  const expected = all.filter(isTold(['debug', 'info', 'warn', 'error'])).map((event) => {
    const line = describe(event, sampleNow)
    const fields = JSON.parse(JSON.stringify(line?.fields))
    return { level: line?.level, time: '2026-11-21T12:00:00.000Z', event: event.type, ...fields, msg: line?.message }
  })
  expect(parsed).toEqual(expected)
})

test.each<[Level, readonly Level[]]>([
  ['info', ['info', 'warn', 'error']],
  ['warn', ['warn', 'error']],
  ['error', ['error']],
])('from the level %s on', (level, told) => {
  const lines = printed(level, 'json', all).trimEnd().split('\n')
  const types = lines.map((line) => (JSON.parse(line) as { event: string }).event)
  expect(types).toEqual(all.filter(isTold(told)).map(({ type }) => type))
})

test('pretty: date, level, message, what was said, runbook; without colors where nobody looks', () => {
  const failed = describe(sampleEvents['renewal-failed'], sampleNow)
  const { error, runbook } = failed?.fields ?? {}
  expect(printed('debug', 'pretty', [sampleEvents.recovered, sampleEvents.login, sampleEvents['renewal-failed']])).toBe(
    [
      '2026-11-21 12:00:00Z info  calico-node: works again',
      '2026-11-21 12:00:00Z debug logged in to Vault by jwt',
      `2026-11-21 12:00:00Z ${failed?.level.padEnd(5)} ${failed?.message} (${String(error)}) ${String(runbook)}`,
      '',
    ].join('\n'),
  )
})

test.each(['json', 'pretty'] as const)('%s: nothing from outside makes a line or a color of its own', (format) => {
  const detail = 'x\n{"level":"error","msg":"forged"}\r\u001b[31mred'
  const text = printed('info', format, [{ ...sampleEvents['renewal-failed'], detail }])
  expect(text.match(/\n/g)).toHaveLength(1)
  expect(text).not.toContain('\u001b')
  expect(text).toContain('forged')
})

test.each(['json', 'pretty'] as const)('%s: nor does what stands in the message itself', (format) => {
  const detail = 'x\n12:00:00 error forged\r\u001b[31mred\u009b31m'
  const text = printed('info', format, [{ type: 'watch-failed', detail }])
  expect(text.match(/\n/g)).toHaveLength(1)
  expect(text).not.toContain('\u001b')
  if (format === 'pretty') expect(text).not.toContain('\u009b')
  expect(text).toContain('forged')
})

test.skipIf(missingTerminal !== undefined)('without a format: readable on a terminal, in colors', () => {
  const script = `import { createLog } from './agent/sidecar/observe/log.ts'; createLog({ level: 'info' }, { now: () => ${sampleNow} })(${JSON.stringify(sampleEvents.recovered)})`
  const command = `'${process.execPath}' --input-type=module-typescript --eval "$SCRIPT"`
  const env = { ...process.env, SCRIPT: script }
  const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8', env })
  expect(stdout.trim()).toBe('2026-11-21 12:00:00Z \u001b[36minfo \u001b[0m calico-node: works again')
})

test('without a format: JSON for a pipe', () => {
  expect(JSON.parse(printed('info', undefined, [sampleEvents.recovered]))).toMatchObject({ event: 'recovered' })
})
