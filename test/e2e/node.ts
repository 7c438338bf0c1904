/** Owns one node: a set of namespaces with a containerd and a kubelet in them, which can lose its power and be booted again. */
import { type ChildProcess, type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { cpSync, linkSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { until } from './wait.ts'

const run = promisify(execFile)

export interface NodeOptions {
  readonly name: string
  readonly address: string
  /** Its disk, empty at first. */
  readonly disk: string
  /** Below the root of every controller. */
  readonly cgroup: string
  readonly gateway: string
  /** HOST:PORT */
  readonly api: string
  readonly kubeconfig: string
  readonly clientCaFile: string
  readonly program: string
  /** Archives of images to put into its containerd. */
  readonly images: readonly string[]
}

export interface Node {
  readonly name: string
  readonly address: string
  /** A path of the node as this process sees it, for as long as the node has power. */
  path(inside: string): string
  /** Runs a program in the node's namespaces. Rejects when it fails. */
  run(program: string, ...args: string[]): Promise<string>
  /** The same, to talk to while it runs. It ought to end when its standard input does. */
  spawn(program: string, ...args: string[]): ChildProcessWithoutNullStreams
  boot(): Promise<void>
  /** As when the plug is pulled. */
  powerOff(): Promise<void>
  /** SIGKILL. Resolves when it has been started again. */
  kill(program: 'containerd' | 'kubelet'): Promise<void>
  log(program: 'containerd' | 'kubelet'): string
}

export function createNode(options: NodeOptions): Node {
  const { name, address, disk } = options
  prepareDisk(options)
  let machine: ChildProcess | undefined
  let pid = 0
  const path = (inside: string): string => join(`/proc/${pid}/root`, inside)
  const enter = async (program: string, ...args: string[]): Promise<string> => {
    const { stdout } = await run('nsenter', ['--target', String(pid), '--all', '--', program, ...args], {
      maxBuffer: 2 ** 26,
    })
    return stdout
  }
  return {
    name,
    address,
    path,
    run: enter,
    spawn: (program, ...args) => spawn('nsenter', ['--target', String(pid), '--all', '--', program, ...args]),
    async boot() {
      machine = spawnMachine(options)
      pid = await until(`the first process of ${name}`, () => childOf(machine?.pid))
      await attach(options, pid)
    },
    async powerOff() {
      const gone = new Promise((resolve) => machine?.once('exit', resolve))
      process.kill(pid, 'SIGKILL')
      await gone
    },
    async kill(program) {
      const read = (): string => readFileSync(path(`/run/${program}.pid`), 'utf8').trim()
      const before = read()
      await enter('kill', '-KILL', before)
      await until(`another ${program} on ${name}`, async () => read() !== before && read() !== '')
    },
    log: (program) => readFileSync(join(disk, `${program}.log`), 'utf8'),
  }
}

function prepareDisk({ disk, images, clientCaFile, kubeconfig, cgroup }: NodeOptions): void {
  mkdirSync(join(disk, 'images'), { recursive: true })
  for (const image of images) linkOrCopy(image, join(disk, 'images', basename(image)))
  writeFileSync(join(disk, 'kubeconfig'), kubeconfig)
  writeFileSync(join(disk, 'containerd.toml'), containerdConfig)
  writeFileSync(join(disk, 'kubelet.json'), JSON.stringify(kubeletConfig(clientCaFile, cgroup)))
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch {
    cpSync(from, to)
  }
}

function spawnMachine({ name, address, disk, cgroup, gateway, api, program }: NodeOptions): ChildProcess {
  const log = openSync(join(disk, 'boot.log'), 'a')
  const namespaces = ['--mount', '--net', '--pid', '--ipc', '--uts', '--propagation', 'private']
  const always = ['--fork', '--kill-child', '--mount-proc']
  return spawn('unshare', [...namespaces, ...always, join(import.meta.dirname, 'node/boot.sh')], {
    stdio: ['ignore', log, log],
    env: {
      PATH: process.env['PATH'],
      NODE: name,
      ADDRESS: address,
      DISK: disk,
      CGROUP: cgroup,
      GATEWAY: gateway,
      API: api,
      PROGRAM: program,
    },
  })
}

async function childOf(pid = 0): Promise<number | undefined> {
  const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0])
  // unshare's child becomes the program.
  return child > 0 && readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('boot.sh') ? child : undefined
}

/** Plugs the node into the control plane's bridge. */
async function attach({ name }: NodeOptions, pid: number): Promise<void> {
  const port = `veth-${name}`
  await run('ip', ['link', 'delete', port]).catch(() => {})
  await run('ip', ['link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid)])
  await run('ip', ['link', 'set', port, 'master', 'e2e0', 'up'])
}

/** AppArmor and a lower score for the kernel's out-of-memory choice are not to be had everywhere. */
const containerdConfig = `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "e2e.local/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`

function kubeletConfig(clientCAFile: string, cgroup: string): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    failCgroupV1: false,
    failSwapOn: false,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    resolvConf: '',
    evictionHard: { 'nodefs.available': '1%', 'imagefs.available': '1%', 'memory.available': '50Mi' },
    imageGCHighThresholdPercent: 100,
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile } },
    authorization: { mode: 'Webhook' },
    // A container that was killed again and again is tried again soon: a test need not wait for minutes.
    crashLoopBackOff: { maxContainerRestartPeriod: '5s' },
    featureGates: { KubeletCrashLoopBackOffMax: true },
  }
}
