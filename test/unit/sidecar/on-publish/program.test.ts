/** The operator's program: whatever keeps it from starting is a failure with its name, and never the end of the agent. */
import { execFileSync } from 'node:child_process'
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

it('no descriptor is left', () => {
  const script = `
    import { openSync } from 'node:fs'
    const { runProgram } = await import(${JSON.stringify(new URL('../../../../agent/sidecar/on-publish/program.ts', import.meta.url))})
    try { for (;;) openSync('/dev/null', 'r') } catch {}
    const failure = await runProgram({ argv: ['/bin/true'], environment: {}, timeoutMs: 60000 }).catch((error) => error)
    process.stdout.write(failure.code + ' ' + failure.message)`
  const limited = 'ulimit -n 100; exec "$0" --input-type=module --eval "$1"'
  const said = execFileSync('/bin/sh', ['-c', limited, process.execPath, script], { encoding: 'utf8' })
  expect(said).toBe('on-publish-failed /bin/true: spawn /bin/true EMFILE')
})

it('is well otherwise', async () => {
  expect(await run('/bin/sh', '-c', 'echo restarted it')).toBe('restarted it')
  await expect(run('/bin/sh', '-c', 'echo no; exit 3')).rejects.toMatchObject({
    message: '/bin/sh ended with status 3: no',
  })
})
