/**
 * Owns the archives of images that every node gets: the project's own, made by its Dockerfile, and the stand-in's under the names that
 * Calico's manifest has. They are kept in the cache, by a hash of what they are made of.
 */
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
import { join, resolve } from 'node:path'
import { type ImageStore, openImageStore } from '../image/buildah.ts'
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
  '.dockerignore',
  'agent',
  'build',
  'LICENSE',
]

export const agentImage = 'e2e.local/calico-vault-agent'
export const agentTag = '1'
const pauseImage = 'e2e.local/pause:1'

/** The archives' paths. */
export function imageArchives(say: (line: string) => void): string[] {
  const program = requireServer('stand-in').path
  const standIns = [...calicoImages(), pauseImage]
  const directory = join(
    cacheDirectory('images'),
    `e2e-${hashOf([...sources.map((name) => join(project, name)), program], standIns)}`,
  )
  if (!existsSync(directory)) makeAll(directory, program, standIns, say)
  return readdirSync(directory).map((name) => join(directory, name))
}

/** As Calico's manifest names them, so that `IfNotPresent` finds them. */
function calicoImages(): string[] {
  return [...new Set([...upstream.matchAll(/^\s+image: (\S+)$/gm)].map(([, name = '']) => name))]
}

function makeAll(directory: string, program: string, standIns: readonly string[], say: (line: string) => void): void {
  const temporary = `${directory}.${process.pid}.tmp`
  mkdirSync(temporary, { recursive: true })
  const store = openImageStore()
  try {
    say("the agent's image, by its Dockerfile")
    store.save(store.build(project), `${agentImage}:${agentTag}`, join(temporary, 'agent.tar'))
    say("the images in the place of Calico's")
    for (const [index, name] of standIns.entries())
      store.save(buildStandIn(store, program, name), name, join(temporary, `stand-in-${index}.tar`))
    renameSync(temporary, directory)
  } finally {
    store.remove()
    rmSync(temporary, { recursive: true, force: true })
  }
}

/** The stand-in under the names by which the manifest calls Calico's programs. kube-controllers' user is 999, as Calico's. */
function buildStandIn(store: ImageStore, program: string, image: string): string {
  const context = mkdtempSync(join(tmpdir(), 'stand-in-'))
  try {
    const root = join(context, 'root')
    for (const place of ['opt/cni/bin', 'usr/bin', 'bin', 'tmp']) mkdirSync(join(root, place), { recursive: true })
    chmodSync(join(root, 'tmp'), 0o1777)
    copyFileSync(program, join(root, 'stand-in'))
    for (const name of [
      'opt/cni/bin/install',
      'bin/calico-node',
      'usr/bin/kube-controllers',
      'usr/bin/check-status',
      'bin/pause',
    ])
      symlinkSync('/stand-in', join(root, name))
    const entrypoint = ['kube-controllers', 'pause'].find((name) => image.includes(`/${name}:`)) ?? 'calico-node'
    const lines = [
      'FROM scratch',
      'COPY root /',
      'ENV PATH=/bin:/usr/bin',
      `USER ${entrypoint === 'kube-controllers' ? '999' : '0'}`,
      `ENTRYPOINT ["${entrypoint}"]`,
    ]
    writeFileSync(join(context, 'Dockerfile'), `${lines.join('\n')}\n`)
    return store.build(context)
  } finally {
    rmSync(context, { recursive: true, force: true })
  }
}

function hashOf(paths: readonly string[], names: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify([names, process.versions.node]))
  const add = (path: string): void => {
    hash.update(path)
    if (!statSync(path).isDirectory()) hash.update(readFileSync(path))
    else for (const name of readdirSync(path).toSorted()) add(join(path, name))
  }
  for (const path of paths) add(path)
  return hash.digest('hex').slice(0, 16)
}
