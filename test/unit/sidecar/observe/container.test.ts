import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { readContainer } from '../../../../agent/sidecar/observe/container.ts'

test('what is executed in a container has its name, what runs in another mount namespace has not', () => {
  const own = readContainer()
  expect(own).toMatch(/^mnt:\[\d+\]$/)
  const elsewhere = (command: string, ...args: string[]) => execFileSync(command, args, { encoding: 'utf8' }).trim()
  expect(elsewhere('readlink', '/proc/self/ns/mnt')).toBe(own)
  if (process.getuid?.() !== 0) return
  const [unshare, ...args] = ['unshare', '--mount', 'readlink', '/proc/self/ns/mnt']
  expect(elsewhere(unshare, ...args)).not.toBe(own)
})
