/**
 * Owns the archives of images that every node gets: the project's own, made by its Dockerfile, and the stand-in's under the names that
 * Calico's manifest has. They are kept in the cache, by a hash of what they are made of.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { openImageStore } from '../image/buildah.ts'
import { upstream } from '../manifests/calico.ts'
import { cacheDirectory, requireServer } from '../servers/locate.ts'

const project = resolve(import.meta.dirname, '../..')
/** What the Dockerfile takes. */
const sources = [
  'Dockerfile',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  '.npmrc',
  'agent',
  'build',
  'LICENSE',
]

export const agentImage = 'e2e.local/calico-vault-agent'
export const agentTag = '1'
/** What a pod's first container is; containerd's configuration names it. */
export const pauseImage = 'e2e.local/pause:1'

/** By what each name is called, and how it is started. */
const standInPaths = [
  'opt/cni/bin/install',
  'bin/calico-node',
  'bin/kube-controllers',
  'usr/bin/check-status',
  'bin/pause',
]

const keptArchives = 3

/** The archives' paths. */
export function imageArchives(say: (line: string) => void): string[] {
  const standIn = requireServer('stand-in').path
  return [
    cached('agent', hashOf(sources.map((name) => join(project, name))), (archive) => {
      say("making the agent's image, by its Dockerfile")
      const store = openImageStore()
      try {
        store.save(store.build(project), `${agentImage}:${agentTag}`, archive)
      } finally {
        store.remove()
      }
    }),
    cached('stand-in', hashOf([standIn, import.meta.filename]), (archive) => writeStandIns(archive, standIn)),
  ]
}

function cached(name: string, hash: string, make: (archive: string) => void): string {
  const archive = join(cacheDirectory('images'), `e2e-${name}-${hash}.tar`)
  if (existsSync(archive)) return archive
  mkdirSync(dirname(archive), { recursive: true })
  const temporary = `${archive}.${process.pid}.tmp`
  try {
    make(temporary)
    renameSync(temporary, archive)
  } finally {
    rmSync(temporary, { force: true })
  }
  prune(name)
  return archive
}

/** Every change of the sources makes another archive: the newest ones stay. */
function prune(name: string): void {
  const directory = cacheDirectory('images')
  const archives = readdirSync(directory).filter((each) => each.startsWith(`e2e-${name}-`) && each.endsWith('.tar'))
  const byAge = archives
    .map((each) => join(directory, each))
    .toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)
  for (const archive of byAge.slice(keptArchives)) rmSync(archive, { force: true })
}

/** One layer under the names that Calico's manifest has, so that `IfNotPresent` finds them. kube-controllers' user is 999, as Calico's. */
function writeStandIns(archive: string, program: string): void {
  const directory = mkdtempSync(join(tmpdir(), 'stand-in-'))
  try {
    const root = join(directory, 'root')
    for (const path of [...standInPaths, 'tmp/none']) mkdirSync(dirname(join(root, path)), { recursive: true })
    chmodSync(join(root, 'tmp'), 0o1777)
    copyFileSync(program, join(root, 'stand-in'))
    for (const path of standInPaths) symlinkSync('/stand-in', join(root, path))
    const files = join(directory, 'files')
    mkdirSync(files)
    pack(join(files, 'layer.tar'), root)
    const layer = createHash('sha256')
      .update(readFileSync(join(files, 'layer.tar')))
      .digest('hex')
    const names = [...new Set([...upstream.matchAll(/^\s+image: (\S+)$/gm)].map(([, name = '']) => name)), pauseImage]
    const manifest = names.map((name, index) => {
      const entrypoint = ['kube-controllers', 'pause'].find((each) => name.includes(`/${each}:`)) ?? 'calico-node'
      const config = {
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
        os: 'linux',
        config: {
          Env: ['PATH=/bin:/usr/bin'],
          User: entrypoint === 'kube-controllers' ? '999' : '0',
          Entrypoint: [entrypoint],
        },
        rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
      }
      writeFileSync(join(files, `${index}.json`), JSON.stringify(config))
      return { Config: `${index}.json`, RepoTags: [name], Layers: ['layer.tar'] }
    })
    writeFileSync(join(files, 'manifest.json'), JSON.stringify(manifest))
    pack(archive, files)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function pack(archive: string, directory: string): void {
  execFileSync('tar', ['--create', '--owner=0', '--group=0', '--file', archive, '--directory', directory, '.'])
}

function hashOf(paths: readonly string[]): string {
  const hash = createHash('sha256').update(process.versions.node)
  const add = (path: string): void => {
    hash.update(relative(project, path))
    if (!statSync(path).isDirectory()) hash.update(readFileSync(path))
    else for (const name of readdirSync(path).toSorted()) add(join(path, name))
  }
  for (const path of paths) add(path)
  return hash.digest('hex').slice(0, 16)
}
