import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readSmallFile, systemFiles, withFile } from '../../../agent/core/files.ts'
import { createFaultyFiles } from '../../support/faulty-files.ts'
import { tempDir } from '../../support/temp-dir.ts'

function fileWith(content: string | Buffer): string {
  const path = join(tempDir(), 'file')
  writeFileSync(path, content)
  return path
}

const openDescriptors = (): number => readdirSync('/proc/self/fd').length

describe('a small file', () => {
  test.each(['', 'text', 'größe:日本\n', 'x'.repeat(100_000)])('is read whole', (text) => {
    expect(readSmallFile(systemFiles, fileWith(text))).toBe(text)
  })

  test('is read whole in small pieces, of which one may end within a character', () => {
    const { files } = createFaultyFiles(() => 'short')
    expect(readSmallFile(files, fileWith('größe:日本'.repeat(20)))).toBe('größe:日本'.repeat(20))
  })

  test('is read through links', () => {
    const path = fileWith('text')
    symlinkSync(path, `${path}.link`)
    expect(readSmallFile(systemFiles, `${path}.link`)).toBe('text')
  })

  test('may have just as many bytes as are allowed', () => {
    expect(readSmallFile(systemFiles, fileWith('12345'), 5)).toBe('12345')
    const path = fileWith('123456')
    expect(() => readSmallFile(systemFiles, path, 5)).toThrow(`${path} has 6 bytes; more than 5 are not read`)
  })

  test('may become shorter while it is read', () => {
    const path = fileWith('1234567890')
    const { files } = createFaultyFiles((_index, call) => {
      if (call === 'readSync') writeFileSync(path, '123')
      return undefined
    })
    expect(readSmallFile(files, path)).toBe('123')
  })

  test('of 10 MB is refused, and not read', () => {
    const { files, calls } = createFaultyFiles(() => undefined)
    expect(() => readSmallFile(files, fileWith(Buffer.alloc(10_000_000)))).toThrow(/10000000 bytes/)
    expect(calls).not.toContain('readSync')
  })
})

describe('what is no file is refused', () => {
  test('a directory', () => {
    const path = join(tempDir(), 'directory')
    mkdirSync(path)
    expect(() => readSmallFile(systemFiles, path)).toThrow(`${path} is not a regular file`)
  })

  test('a named pipe that nobody writes to, without waiting for one', () => {
    const path = join(tempDir(), 'pipe')
    execFileSync('mkfifo', [path])
    expect(() => readSmallFile(systemFiles, path)).toThrow(`${path} is not a regular file`)
  })

  test('a device that never ends', () => {
    expect(() => readSmallFile(systemFiles, '/dev/zero')).toThrow('/dev/zero is not a regular file')
  })

  test('nothing at all: the system error', () => {
    const missing = expect.objectContaining({ code: 'ENOENT' }) as Error
    expect(() => readSmallFile(systemFiles, join(tempDir(), 'none'))).toThrow(missing)
  })
})

test('no descriptor is left open, whatever happens', () => {
  const path = fileWith('text')
  const before = openDescriptors()
  for (let index = 0; index < 6; index++) {
    const { files } = createFaultyFiles((at) => (at === index ? { code: 'EIO' } : undefined))
    try {
      readSmallFile(files, path)
    } catch {
      // Only the descriptors count here.
    }
  }
  expect(() =>
    withFile(systemFiles, path, 0, 0, () => {
      throw new Error('thrown')
    }),
  ).toThrow('thrown')
  expect(openDescriptors()).toBe(before)
})
