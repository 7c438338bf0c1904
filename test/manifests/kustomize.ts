/** Owns rendering a kustomization as a user does, over a manifest of Calico that is put where the documentation says. */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { locateServer, type ServerName } from '../servers/locate.ts'
import type { KubeObject } from './objects.ts'

const manifests = join(import.meta.dirname, '../../manifests')

type Program = { readonly command: readonly string[] } | { readonly missing: string }

/** kubectl's own where it is new enough: what users have. Then the versions that kubectl 1.27 and newer contain. */
export const programs: readonly (readonly [name: string, program: Program])[] = [
  ['kubectl', locateKubectl()],
  ...(['kustomize', 'kustomize-5.1', 'kustomize-5.0'] as const).map((name): [string, Program] => [name, locate(name)]),
]
/** The command in front of the directory, or why there is none. */
export const kustomize: Program = programs.map(([, program]) => program).find((each) => !('missing' in each)) ?? {
  missing: programs.map(([, program]) => ('missing' in program ? program.missing : '')).join(', '),
}
export const leftOut = 'missing' in kustomize ? ` (left out: ${kustomize.missing})` : ''

export interface RenderOptions {
  /** The text of calico-etcd.yaml. */
  readonly calico: string
  /** Files to write below manifests/ before, by their paths. */
  readonly files?: Readonly<Record<string, string>>
  readonly program?: readonly string[] | undefined
}

/** The objects of `directory` below manifests/; throws with kustomize's own words. */
export function render(directory: string, { calico, files = {}, program: asked }: RenderOptions): KubeObject[] {
  if ('missing' in kustomize) throw new Error(kustomize.missing)
  const [program = '', ...args] = asked ?? kustomize.command
  const copy = mkdtempSync(join(tmpdir(), 'manifests-'))
  try {
    for (const part of ['base', 'components', 'overlays'])
      cpSync(join(manifests, part), join(copy, part), { recursive: true })
    writeFileSync(join(copy, 'base/calico-etcd.yaml'), calico)
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(copy, path)), { recursive: true })
      writeFileSync(join(copy, path), text)
    }
    const text = execFileSync(program, [...args, join(copy, directory)], { encoding: 'utf8', stdio: 'pipe' })
    return parseAllDocuments(text).map((document) => document.toJS() as KubeObject)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function locateKubectl(): Program {
  const { status, stdout } = spawnSync('kubectl', ['version', '--client', '--output=json'], { encoding: 'utf8' })
  const version = status === 0 ? ((JSON.parse(stdout) as { kustomizeVersion?: string }).kustomizeVersion ?? '') : ''
  return Number(/^v(\d+)/.exec(version)?.[1]) >= 5
    ? { command: ['kubectl', 'kustomize'] }
    : { missing: 'no kubectl of 1.27 or newer' }
}

function locate(name: ServerName): Program {
  const built = locateServer(name)
  return 'missing' in built ? built : { command: [built.path, 'build'] }
}
