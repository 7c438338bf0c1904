/**
 * Owns a container of an image as the kubelet's runtime would make it, with crun: a read-only root, no capability, no new
 * privileges, the user that is asked for; entrypoint and environment are the image's. The network is this machine's.
 */
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type AgentProcess, spawnAgent } from '../support/agent-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import type { Image } from './buildah.ts'

export interface ContainerOptions {
  readonly image: Image
  /** A directory with the image's files. */
  readonly root: string
  readonly uid: number
  /** In the place of the image's command. */
  readonly args?: readonly string[]
  /** In the place of the image's entrypoint. */
  readonly entrypoint?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly mounts?: readonly Mount[]
}

export interface Mount {
  readonly source: string
  readonly destination: string
  readonly writable?: boolean
}

export interface Container extends AgentProcess {
  /** The pid of its first process, as seen from here. */
  pid(): number
  /** Runs a program beside it, as `kubectl exec` does; what it prints. Throws if it fails. */
  exec(...program: readonly string[]): string
}

export function startContainer(options: ContainerOptions): Container {
  const id = `calico-vault-agent-${randomUUID()}`
  const bundle = tempDir()
  mkdirSync(join(bundle, 'state'))
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(runtimeConfig(options)))
  const always = ['--root', join(bundle, 'state'), '--cgroup-manager', 'disabled']
  const crun = (...args: string[]): string[] => {
    return ['unshare', '--mount', 'sh', '-c', withoutUnifiedCgroups, 'crun', ...always, ...args]
  }
  const ask = ([program = '', ...args]: string[]): string => execFileSync(program, args, { encoding: 'utf8' })
  const agent = spawnAgent({}, { command: crun('run', '--bundle', bundle, id) })
  // Before the agent's own end, which waits for the container's.
  onTestFinished(() => void ask(crun('delete', '--force', id)))
  return {
    ...agent,
    pid: () => (JSON.parse(ask(crun('state', id))) as { pid: number }).pid,
    // As the container's user, which is what a kubelet does.
    exec: (...program) => ask(crun('exec', '--user', `${options.uid}:${options.uid}`, id, ...program)),
  }
}

/** crun 1.8 refuses machines that have both versions of control groups, also where it is told to use none. */
const withoutUnifiedCgroups = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$0" "$@"'

/** https://github.com/opencontainers/runtime-spec/blob/main/config.md */
function runtimeConfig({
  image,
  root,
  uid,
  args,
  entrypoint,
  environment = {},
  mounts = [],
}: ContainerOptions): object {
  const none = { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] }
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid, gid: uid },
      args: [...(entrypoint ?? image.config.Entrypoint), ...(args ?? image.config.Cmd)],
      env: [...image.config.Env, ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)],
      cwd: image.config.WorkingDir,
      capabilities: none,
      noNewPrivileges: true,
    },
    root: { path: root, readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=64k'] },
      ...mounts.map(({ source, destination, writable = false }) => ({
        source,
        destination,
        type: 'bind',
        options: ['bind', 'nosuid', 'nodev', 'noexec', writable ? 'rw' : 'ro'],
      })),
    ],
    linux: { namespaces: ['pid', 'mount', 'ipc', 'uts'].map((type) => ({ type })) },
  }
}
