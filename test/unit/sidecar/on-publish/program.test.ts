/** The operator's program: whatever keeps it from starting is a failure with its name, and never the end of the agent. */
import { chmodSync, closeSync, copyFileSync, mkdtempSync, openSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { runProgram } from '../../../../agent/sidecar/on-publish/program.ts'

function temporary(): string {
  const root = mkdtempSync(join(tmpdir(), 'program-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  return root
}

const run = (program: string, ...args: string[]): Promise<string> =>
  runProgram({ argv: [program, ...args], environment: {}, timeoutMs: 60_000 })

const places: Readonly<Record<string, (root: string) => string>> = {
  ENOENT: (root) => join(root, 'none'),
  EACCES: (root) => root,
  ENOTDIR: () => join(process.execPath, 'below-a-file'),
  ENAMETOOLONG: () => `/${'n'.repeat(5000)}`,
  ELOOP: (root) => {
    symlinkSync('loop', join(root, 'loop'))
    return join(root, 'loop')
  },
  // It is just being replaced.
  ETXTBSY: (root) => {
    const program = join(root, 'busy')
    copyFileSync('/bin/true', program)
    chmodSync(program, 0o755)
    const writer = openSync(program, 'r+')
    onTestFinished(() => closeSync(writer))
    return program
  },
}

it.each(Object.keys(places))('%s', async (code) => {
  const program = places[code]?.(temporary()) ?? ''
  await expect(run(program)).rejects.toMatchObject({
    name: 'AgentError',
    code: 'on-publish-failed',
    message: expect.stringMatching(new RegExp(`: spawn .*${code}$`)),
  })
})

it('arguments that are too long for the system', async () => {
  await expect(run('/bin/true', 'n'.repeat(3_000_000))).rejects.toMatchObject({
    name: 'AgentError',
    code: 'on-publish-failed',
    message: '/bin/true: spawn E2BIG',
  })
})

it('no descriptor is left', async () => {
  const taken: number[] = []
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'))
  } catch {}
  const failed = run('/bin/true').catch((error: unknown) => error)
  for (const each of taken) closeSync(each)
  expect(await failed).toMatchObject({ name: 'AgentError', code: 'on-publish-failed', message: '/bin/true: spawn /bin/true EMFILE' })
})

it('is well otherwise', async () => {
  expect(await run('/bin/sh', '-c', 'echo restarted it')).toBe('restarted it')
  await expect(run('/bin/sh', '-c', 'echo no; exit 3')).rejects.toMatchObject({
    message: '/bin/sh ended with status 3: no',
  })
})
