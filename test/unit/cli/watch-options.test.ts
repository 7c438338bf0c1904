import { describe, expect, it } from 'vitest'
import { parseCommandLine } from '../../../agent/cli/command-line.ts'

function parseProvisionOptions(argv: readonly string[]): unknown {
  const task = parseCommandLine(['provision', ...argv])
  return task.command === 'provision' ? task.options : task
}

describe('the arguments of provision watch', () => {
  it('have defaults', () => {
    expect(parseProvisionOptions(['watch'])).toMatchObject({
      action: 'watch',
      naming: 'node',
      nodesFile: undefined,
      graceMs: 3_600_000,
      resyncMs: 600_000,
      busyShare: 0.005,
    })
  })

  it.each([
    [['watch', '--naming', 'component'], 'provision watch is for --naming node'],
    [['watch', '--nodes', 'a'], "unknown option '--nodes'"],
    [['watch', '--prune'], "unknown option '--prune'"],
    [['plan', '--grace', '1h'], "unknown option '--grace'"],
    [['watch', '--grace', '0s'], '--grace is a duration from 1s to 744h, not "0s"'],
    [['watch', '--grace', '5y'], '--grace is a duration from 1s to 744h, not "5y"'],
    [['watch', '--resync', ''], '--resync is a duration from 1s to 744h, not ""'],
    [['watch', '--nodes-file', ''], '--nodes-file is empty'],
  ])('%j are refused', (argv, message) => {
    expect(() => parseProvisionOptions(argv)).toThrow(message)
  })
})
