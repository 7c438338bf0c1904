/**
 * Owns `npm run e2e [-- PATTERN]`: the project on real nodes. Everything runs in namespaces that end with this process, however it ends;
 * a process of its own then takes away the control groups and the files. Ends with status 0 where everything held.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { missingForImages } from '../image/buildah.ts'
import { locateServer } from '../servers/locate.ts'
import { imageArchives } from './images.ts'

const { values: options, positionals: patterns } = parseArgs({
  allowPositionals: true,
  // A machine on which there can be no node is no failure.
  options: { 'if-possible': { type: 'boolean', default: false } },
})
const startedAt = performance.now()
const say = (line: string): void =>
  console.log(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)} s  ${line}`)

const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

process.exitCode = await main()

async function main(): Promise<number> {
  const missing = findMissing()
  if (missing.length > 0) {
    console.error(`npm run e2e is left out here: ${missing.join('; ')}.`)
    return options['if-possible'] ? 0 : 1
  }
  const directory = mkdtempSync(join(tmpdir(), 'calico-vault-agent-e2e-'))
  const cgroup = `calico-vault-agent-e2e-${process.pid}`
  // It sees the end of its standard input when this process is gone.
  const cleaner = spawn(join(import.meta.dirname, 'clean.sh'), [directory, cgroup], {
    stdio: ['pipe', 'inherit', 'inherit'],
    detached: true,
  })
  const environment = { TMPDIR: directory, E2E_DIRECTORY: directory, E2E_CGROUP: cgroup }
  // buildah mounts, and what it mounts is not to stay either.
  let code = await runApart(['--mount'], ['make-images.ts'], environment)
  if (code === 0) {
    const images = imageArchives(say).join(':')
    const namespaces = ['--mount', '--net', '--ipc', '--uts']
    code = await runApart(namespaces, ['inside.ts', ...patterns], { ...environment, E2E_IMAGES: images })
  }
  cleaner.stdin.end()
  await endOf(cleaner)
  say(code === 0 ? 'all of it held' : 'not all of it held')
  return code === 0 ? 0 : 1
}

/** Runs a program of this directory as the first process of namespaces of its own: all that it starts ends with it, and it with this one. */
async function runApart(
  namespaces: readonly string[],
  [program = '', ...args]: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<number | null> {
  const apart = [
    'unshare',
    ...namespaces,
    '--pid',
    '--propagation',
    'private',
    '--mount-proc',
    '--fork',
    '--kill-child',
  ]
  const command = [process.execPath, join(import.meta.dirname, program), ...args]
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...apart, '--', ...command], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...environment },
  })
  const end = (): boolean => child.kill('SIGKILL')
  for (const signal of endingSignals) process.on(signal, end)
  const code = await endOf(child)
  for (const signal of endingSignals) process.off(signal, end)
  return code
}

/** Why there can be no node here. */
function findMissing(): string[] {
  if (process.getuid?.() !== 0) return ['it needs root']
  const programs = ['containerd', 'ctr', 'runc', 'unshare', 'setpriv', 'nsenter', 'ip', 'iptables'].filter(
    (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0,
  )
  const servers = (['vault', 'etcd', 'kube-apiserver', 'kubernetes', 'stand-in'] as const).flatMap((name) => {
    const server = locateServer(name)
    return 'missing' in server ? [server.missing] : []
  })
  const images = missingForImages()
  return [
    ...(programs.length > 0
      ? [`there is no ${programs.join(', ')} (Debian: containerd runc iproute2 iptables util-linux)`]
      : []),
    ...(existsSync('/usr/lib/cni/ptp') ? [] : ['there is no /usr/lib/cni/ptp (Debian: containernetworking-plugins)']),
    ...servers,
    ...(images === undefined ? [] : [images]),
    ...missingOfKernel(),
  ]
}

/** Tried in a namespace that is gone at once. */
function missingOfKernel(): string[] {
  const tries = {
    'control groups of version 1 (a machine with version 2 alone is not supported yet)':
      'test -d /sys/fs/cgroup/memory -a -d /sys/fs/cgroup/cpu',
    overlayfs:
      'mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w && mount -t overlay -o lowerdir=/usr,upperdir=/mnt/u,workdir=/mnt/w o /usr',
    'bridges and veth pairs': 'ip link add one0 type bridge && ip link add two0 type veth peer name three0',
    'address translation by iptables':
      'iptables -t nat -A OUTPUT -d 10.96.0.1/32 -p tcp -j DNAT --to-destination 10.0.0.1:1',
    'the bpf file system': 'mount -t bpf bpf /mnt',
  }
  return Object.entries(tries)
    .filter(([, command]) => spawnSync('unshare', ['--mount', '--net', 'sh', '-c', command]).status !== 0)
    .map(([what]) => `the kernel has no ${what}`)
}

function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
}
