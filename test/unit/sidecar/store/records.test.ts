import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { AgentError } from '../../../../agent/core/errors.ts'
import { openIssuanceRecord } from '../../../../agent/sidecar/store/records.ts'
import { Crash, createFaultyFiles, type FileCall } from '../../../support/faulty-files.ts'
import { tempDir } from '../../../support/temp-dir.ts'

let directory: string
let path: string
beforeEach(() => {
  directory = tempDir()
  path = join(directory, '..issued')
})

const refused: unknown = expect.objectContaining({ code: 'issuance-record' })

test('what was written is read by the next process; before that there is nothing', () => {
  expect(openIssuanceRecord(directory).read()).toEqual([])
  openIssuanceRecord(directory).write([1, 2, 1_795_000_000_000])
  expect(openIssuanceRecord(directory).read()).toEqual([1, 2, 1_795_000_000_000])
  expect(readdirSync(directory)).toEqual(['..issued'])
  expect(statSync(path).mode & 0o777).toBe(0o600)
  openIssuanceRecord(directory).write([])
  expect(openIssuanceRecord(directory).read()).toEqual([])
  expect(readdirSync(directory)).toEqual([])
})

describe('what is no record', () => {
  test.each([
    ['', 'nothing'],
    ['{"issuedAtMs": [1, 2', 'half a record'],
    ['null', 'null'],
    ['[1, 2]', 'a bare list'],
    ['{"issuedAtMs": "12"}', 'a text'],
    ['{"issuedAtMs": [1, null]}', 'a hole'],
    ['{"issuedAtMs": [1e300]}', 'no whole number'],
    ['{"issuedAtMs": [-1]}', 'a time before the epoch'],
    [`{"issuedAtMs": [${'1,'.repeat(1_000_000)}1]}`, 'megabytes'],
  ])('is refused and replaced by the next writing: %#', (text) => {
    writeFileSync(path, text)
    const record = openIssuanceRecord(directory)
    expect(() => record.read()).toThrow(refused)
    record.write([7])
    expect(record.read()).toEqual([7])
  })

  test('never passes as one, and never ends the agent', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((json) => `{"issuedAtMs":${json}}`),
        ),
        (text) => {
          writeFileSync(path, text)
          try {
            const times = openIssuanceRecord(directory).read()
            expect(times.every((ms) => Number.isSafeInteger(ms) && ms >= 0)).toBe(true)
          } catch (error) {
            expect(error).toBeInstanceOf(AgentError)
          }
        },
      ),
    )
  })

  test('a directory in its place, a link under the temporary name', () => {
    mkdirSync(path)
    expect(() => openIssuanceRecord(directory).read()).toThrow(refused)
    expect(() => openIssuanceRecord(directory).write([1])).toThrow(refused)
    const other = tempDir()
    writeFileSync(join(other, 'victim'), 'text')
    symlinkSync(join(other, 'victim'), join(other, '..issued_tmp'))
    openIssuanceRecord(other).write([1])
    expect(readdirSync(other).toSorted()).toEqual(['..issued', 'victim'])
    expect(readFileSync(join(other, 'victim'), 'utf8')).toBe('text')
  })
})

test.each(['crash-before', 'crash-after', 'short'] as const)(
  '%s any system call: the old record or the new one',
  (kind) => {
    const record = openIssuanceRecord(directory)
    for (let faultAt = 0; ; faultAt++) {
      record.write([1])
      const calls: FileCall[] = []
      const { files } = createFaultyFiles((index, call) => {
        calls.push(call)
        return index === faultAt && (kind !== 'short' || call === 'writeSync') ? kind : undefined
      })
      try {
        openIssuanceRecord(directory, files).write([1, 2])
      } catch (error) {
        expect(error).toBeInstanceOf(Crash)
      }
      expect([[1], [1, 2]]).toContainEqual(record.read())
      if (calls.length <= faultAt) break
    }
    record.write([3])
    expect(record.read()).toEqual([3])
    expect(readdirSync(directory)).toEqual(['..issued'])
  },
)

test.each(['EROFS', 'ENOSPC', 'EACCES'])('%s is told', (code) => {
  const { files } = createFaultyFiles(() => ({ code }))
  expect(() => openIssuanceRecord(directory, files).write([1])).toThrow(refused)
  expect(() => openIssuanceRecord(directory, files).read()).toThrow(refused)
})

test('is written whatever the umask and the mode of an older one', () => {
  writeFileSync(path, '{}')
  chmodSync(path, 0o400)
  const umask = process.umask(0o777)
  onTestFinished(() => void process.umask(umask))
  openIssuanceRecord(directory).write([1])
  expect(statSync(path).mode & 0o777).toBe(0o600)
})
