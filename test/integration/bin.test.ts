/** `npx calico-vault-agent` in a checkout: it runs on whatever Node npm has, or says what to do. */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, symlinkSync, utimesSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, it } from 'vitest'
import { version } from '../../agent/core/version.ts'
import { tempDir } from '../support/temp-dir.ts'

const root = join(import.meta.dirname, '../..')
const said = `calico-vault-agent ${version} (node ${process.versions.node})\n`
/** The machine's Node is the project's only by accident. */
const path = (process.env['PATH'] ?? '').split(delimiter).filter((each) => !each.includes('node_modules'))
const env = { ...process.env, PATH: path.join(delimiter), npm_config_cache: tempDir(afterAll) }

interface Ended {
  readonly code: unknown
  readonly stdout: string
  readonly stderr: string
}

async function run(program: string, args: readonly string[], cwd: string): Promise<Ended> {
  try {
    return { code: 0, ...(await promisify(execFile)(program, args, { cwd, env })) }
  } catch (error) {
    return error as Ended
  }
}

/** A copy of what npm finds of the package, with nothing installed. */
function checkout(): string {
  const directory = tempDir()
  for (const name of ['package.json', 'bin', 'build', 'agent']) {
    cpSync(join(root, name), join(directory, name), { recursive: true })
  }
  return directory
}

it('runs by the name that the documents use, with the Node that npm ci brings', async () => {
  const { code, stdout } = await run('npx', ['--offline', 'calico-vault-agent', 'version'], root)
  expect({ code, stdout }).toEqual({ code: 0, stdout: said })
})

it('passes on arguments and the exit code', async () => {
  const ended = await run('npx', ['--offline', 'calico-vault-agent', 'setup-vault', 'plan', '--file='], root)
  expect(ended).toMatchObject({ code: 64, stderr: expect.stringContaining('--file is empty') as string })
})

it('builds dist/ where there is none, and again where the sources or the build are newer', async () => {
  const directory = checkout()
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
  for (const name of ['tsconfig.json', 'LICENSE', 'package-lock.json', 'test/support']) {
    cpSync(join(root, name), join(directory, name), { recursive: true })
  }
  const ended = await run('node', ['bin/calico-vault-agent.cjs', 'version'], directory)
  expect(ended).toMatchObject({ code: 0, stdout: said })
  expect(ended.stderr).toContain('building dist/')
  expect(await run('node', ['bin/calico-vault-agent.cjs', 'version'], directory)).toEqual({
    code: 0,
    stdout: said,
    stderr: '',
  })
  const [before, later] = [new Date(0), new Date(Date.now() + 60_000)]
  for (const name of ['agent/main.ts', 'build/slim.ts', 'package.json']) {
    utimesSync(join(directory, name), later, later)
    const { stderr } = await run('node', ['bin/calico-vault-agent.cjs', 'version'], directory)
    expect({ name, stderr }).toEqual({ name, stderr: expect.stringContaining('building dist/') as string })
    utimesSync(join(directory, name), before, before)
  }
}, 90_000)

it('says what to do where nothing is installed', async () => {
  const directory = checkout()
  const own = await run(process.execPath, ['bin/calico-vault-agent.cjs'], directory)
  expect(own).toMatchObject({ code: 78, stdout: '' })
  expect(own.stderr).toBe('calico-vault-agent: dist/ is not built. Run `npm ci`, then `npm run build`.\n')
  // What npm runs at the end of an install without scripts must not fail it.
  expect(await run(process.execPath, ['build/prepare.cjs'], directory)).toMatchObject({ code: 0 })
})

it('another Node than 24 is told which one is needed, by the bundle too', async () => {
  const directory = checkout()
  mkdirSync(join(directory, 'dist'))
  cpSync(join(root, 'dist/main.js'), join(directory, 'dist/main.js'))
  const other = "Object.defineProperty(process.versions, 'node', { value: '20.1.0' });"
  const as20 = (file: string) => run(process.execPath, ['-e', `${other}require(${JSON.stringify(file)})`], directory)
  const bin = await as20(join(directory, 'bin/calico-vault-agent.cjs'))
  expect(bin).toMatchObject({ code: 78, stderr: expect.stringMatching(/needs Node 24; this is v.*npm ci/) as string })
  const main = await as20(join(directory, 'dist/main.js'))
  expect(main).toMatchObject({
    code: 78,
    stderr: expect.stringMatching(/needs Node 24; this is v.*npx calico-vault-agent/) as string,
  })
})
