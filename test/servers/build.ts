/**
 * Builds the real test servers from their Go sources into the cache: `node test/servers/build.ts [--if-go] [name …]`.
 *
 * What is there already is left alone. A program appears under its name complete or not at all, so builds that run at
 * the same time do no harm. With `--if-go`, a machine without Go is no error: the tests say what they leave out.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cachePath, readGoVersion, type ServerName, serverNames, sourceDirectory } from './locate.ts'

const progressEveryMs = 5000
const keptOutput = 4000

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  const names = args.filter((arg) => arg !== '--if-go')
  const unknown = names.filter((name) => !isServerName(name))
  if (unknown.length > 0) {
    console.error(`unknown: ${unknown.join(' ')}\nusage: build.ts [--if-go] [${serverNames.join('] [')}]`)
    return 64
  }
  const goVersion = readGoVersion()
  if (goVersion === undefined) {
    const message = 'Go is not installed (no working `go` on the PATH): the real test servers are not built'
    if (args.includes('--if-go')) {
      console.log(`${message}. The tests that need them are skipped.`)
      return 0
    }
    console.error(`${message}. See https://go.dev/doc/install.`)
    return 1
  }
  let failed = false
  for (const name of names.length > 0 ? names.filter(isServerName) : serverNames) {
    const path = cachePath(name, goVersion)
    if (existsSync(path)) {
      console.log(`${name}: ${path}`)
    } else if (!(await build(name, path))) {
      failed = true
    }
  }
  return failed ? 1 : 0
}

function isServerName(name: string): name is ServerName {
  return serverNames.some((known) => known === name)
}

async function build(name: ServerName, path: string): Promise<boolean> {
  // The same directory as the result: a rename within a file system is atomic.
  const temporary = `${path}.${process.pid}.tmp`
  mkdirSync(dirname(path), { recursive: true })
  const startedAt = performance.now()
  const seconds = () => Math.round((performance.now() - startedAt) / 1000)
  const progress = showProgress(() => `${name}: building, ${seconds()} s`)
  // Exactly what go.sum pins (never a change of go.mod), and nothing of the git tree around it. What -w leaves out is not even made.
  const pinned = ['-mod=readonly', '-buildvcs=false', '-trimpath', '-gcflags=all=-dwarf=false']
  const flags = [...pinned, `-ldflags=-s -w ${versionFlag(name)}`]
  const result = await runGo(['build', ...flags, '-o', temporary, '.'], sourceDirectory(name))
  progress.end()
  if (!result.succeeded) {
    rmSync(temporary, { force: true })
    console.error(`${name}: the build failed after ${seconds()} s\n${result.output}`)
    return false
  }
  renameSync(temporary, path)
  console.log(`${name}: built in ${seconds()} s: ${path}`)
  return true
}

/** Kubernetes' own build says so as well: without it a kubelet calls itself v0.0.0. */
function versionFlag(name: ServerName): string {
  const module = readFileSync(join(sourceDirectory(name), 'go.mod'), 'utf8')
  const version = /^\tk8s\.io\/kubernetes (\S+)$/m.exec(module)?.[1]
  return version === undefined ? '' : `-X k8s.io/component-base/version.gitVersion=${version}`
}

function showProgress(line: () => string): { end(): void } {
  const isTerminal = process.stdout.isTTY
  const show = () => process.stdout.write(isTerminal ? `\r${line()} ` : `${line()}\n`)
  show()
  const timer = setInterval(show, isTerminal ? 1000 : progressEveryMs)
  return {
    end() {
      clearInterval(timer)
      if (isTerminal) process.stdout.write('\r\u001B[K')
    },
  }
}

function runGo(args: readonly string[], cwd: string): Promise<{ succeeded: boolean; output: string }> {
  return new Promise((resolve) => {
    let output = ''
    const child = spawn('go', args, {
      cwd,
      // The toolchain that names the cache and no other. GOGC is for the compiler: a fifth of its time was collecting garbage.
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '', GOGC: '400', GOTOOLCHAIN: 'local', GOWORK: 'off' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-keptOutput)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', (error) => resolve({ succeeded: false, output: error.message }))
    child.on('close', (code) => resolve({ succeeded: code === 0, output }))
  })
}
