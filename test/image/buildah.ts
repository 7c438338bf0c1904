/** Owns building images with buildah, without a container engine and without a registry: a store of its own, gone at the end. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { canMount } from '../support/temp-dir.ts'
import { makeNodeBase, nodeArchive } from './node-base.ts'

export interface ImageStore {
  /** The name of an image with Node 24, npm and a shell: `NODE` of the Dockerfile. */
  readonly node: string
  /** Builds the Dockerfile of a source tree and answers the image's id. */
  build(context: string, options?: BuildOptions): string
  inspect(image: string): Image
  /** Writes the image to an archive that container runtimes import, under this name. */
  save(image: string, name: string, archive: string): void
  /** A directory with the image's files. */
  mount(image: string): string
  remove(): void
}

export interface BuildOptions {
  readonly base?: string
  /** Nothing is taken from an earlier build. */
  readonly afresh?: boolean
}

/** What of OCI's image configuration is looked at here. */
export interface Image {
  readonly config: {
    readonly User: string
    readonly Env: readonly string[]
    readonly Entrypoint: readonly string[]
    readonly Cmd: readonly string[]
    readonly WorkingDir: string
    readonly ExposedPorts: Readonly<Record<string, object>>
    readonly Labels: Readonly<Record<string, string>>
  }
  readonly rootfs: { readonly diff_ids: readonly string[] }
}

const needed = ['buildah', 'crun', 'debootstrap', 'unshare']

/** What is missing to build and run images here, in words for a test's title. */
export function missingForImages(): string | undefined {
  if (!canMount) return 'mounting is not allowed'
  const missing = needed.filter((program) => spawnSync(program, ['--version']).error !== undefined)
  if (missing.length > 0) return `no ${missing.join(', ')}`
  try {
    nodeArchive()
    return undefined
  } catch (error) {
    return `no base: ${error instanceof Error ? error.message : String(error)}`
  }
}

export function openImageStore(): ImageStore {
  const directory = mkdtempSync(join(tmpdir(), 'calico-vault-agent-images-'))
  const store = ['--root', join(directory, 'root'), '--runroot', join(directory, 'run')]
  // Overlay needs a file system below that can carry it; a container's usually cannot.
  const driver = ['overlay', 'vfs'].find(
    (name) => spawnSync('buildah', [...store, '--storage-driver', name, 'images']).status === 0,
  )
  if (driver === undefined) throw new Error('buildah has no storage driver that works here')
  const buildah = (...args: string[]): string =>
    run('buildah', [...store, '--storage-driver', driver, ...args], directory).trim()
  const containers: string[] = []
  return {
    node: makeNodeBase(directory, (context) => lastLine(buildah('bud', '--isolation', 'chroot', context))),
    build(context, { base = 'bare', afresh = false } = {}) {
      const options = ['--isolation', 'chroot', '--pull-never', '--timestamp', '0', '--identity-label=false']
      const npmrc = ['--secret', `id=npmrc,src=${userConfig()}`]
      const args = ['--build-arg', `NODE=${this.node}`, '--build-arg', `BASE=${base}`]
      return lastLine(buildah('bud', ...options, afresh ? '--no-cache' : '--layers', ...npmrc, ...args, context))
    },
    inspect: (image) => (JSON.parse(buildah('inspect', '--type', 'image', image)) as { OCIv1: Image }).OCIv1,
    save: (image, name, archive) => void buildah('push', image, `docker-archive:${archive}:${name}`),
    mount(image) {
      const container = buildah('from', '--pull-never', image)
      containers.push(container)
      return buildah('mount', container)
    },
    remove() {
      if (containers.length > 0) buildah('rm', ...containers)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** npm's settings of this user: where a registry of one's own is named. */
function userConfig(): string {
  return run('npm', ['config', 'get', 'userconfig'], '.').trim()
}

/** The image's id is what buildah says last. */
function lastLine(output: string): string {
  return output.split('\n').at(-1) ?? ''
}

function run(program: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}\n${stdout.slice(-4000)}\n${stderr.slice(-4000)}`)
  return stdout
}
