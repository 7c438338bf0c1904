/**
 * Every name that the agent opens, with every kind of file in its place: nothing is followed, nothing is waited for, and what is
 * refused is named. A program of its own does it, as root and as another user, so that a hang fails.
 */
import { execFileSync, spawn } from 'node:child_process'
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { BundleText } from '../../agent/pki/bundle.ts'
import { openSecretDir } from '../../agent/sidecar/store/secret-dir.ts'
import { tempDir } from '../support/temp-dir.ts'
import { attributes, createBundles, generationsIn, readNames, texts } from '../unit/sidecar/store/bundles.ts'
import { kinds, type Scene, secret } from './file-kinds.ts'
import type { Place, Stop, Visit } from './store-tour.ts'

const node = join(import.meta.dirname, '../../node_modules/.bin/node')
const isRoot = process.getuid?.() === 0
const deadlineMs = 60_000
const stranger = 54_321

let old: BundleText
let next: BundleText
beforeAll(async () => {
  ;[old, next] = (await createBundles(2)) as [BundleText, BundleText]
})

type Group = 'special' | 'directory' | 'link' | 'file'
const groupOf = (kind: string): Group =>
  kind.startsWith('link')
    ? 'link'
    : kind.startsWith('directory')
      ? 'directory'
      : kind.startsWith('file')
        ? 'file'
        : 'special'

/** Step → reasons. Every step that is not named succeeds; where publishing does, the directory holds the new bundle. */
type Refusals = Readonly<Partial<Record<Group, Visit>>>

const occupied = { publish: 'directory-occupied' }
const broken = { current: 'malformed' }
const unreadable = { readRecord: 'issuance-record' }
const noRecord = { ...unreadable, writeRecord: 'issuance-record' }
const same = (visit: Visit): Refusals => ({ special: visit, directory: visit, link: visit, file: visit })

const ofTarget: Readonly<Record<string, Refusals>> = {
  '..data': { special: occupied, directory: occupied, file: occupied, link: broken },
  '..data_tmp': { directory: occupied },
  'etcd-ca': { special: occupied, directory: occupied },
  'etcd-cert': { special: occupied, directory: occupied },
  'etcd-key': { special: occupied, directory: occupied },
  '..issued': { special: unreadable, link: unreadable, file: unreadable, directory: noRecord },
  '..issued_tmp': { directory: { writeRecord: 'issuance-record' } },
  '..lock': same({ claim: 'directory-occupied' }),
  '..lock_x': {},
  '..2026_01_01_00_00_00.000_0': {},
  '<published>': { special: broken, link: broken, file: broken },
  '<published>/etcd-ca': same(broken),
  '<published>/etcd-key': same(broken),
  '<published>/more': {},
}
const noState = { current: 'directory-occupied', ...noRecord, ...occupied }
const notWritten = same({ writeRecord: 'directory-occupied', ...occupied })
const ofHost = Object.entries(ofTarget).flatMap(([name, refusals]) => {
  if (!/data|etcd|published/.test(name)) return []
  const synced = Object.entries(refusals).map(([group, visit]) => [
    group,
    'publish' in visit ? { sync: visit.publish } : {},
  ])
  return [[name, Object.fromEntries(synced) as Refusals] as const]
})

/** What the operator names may be a link, to what is of use. */
const ofStatic = same({ current: 'malformed|directory-denied|directory-failed|ok' })
const ofSource = same({ obtain: 'source-unreadable|source-incomplete|malformed' })
const ofFile = (reason: string): Refusals => same({ read: reason })
const notMade = { sync: 'directory-occupied' }

const table: Readonly<Record<Place, Readonly<Record<string, Refusals>>>> = {
  target: ofTarget,
  state: {
    ...ofTarget,
    '..lock': notWritten,
    '.': { special: noState, link: noState, file: noState },
  },
  host: { ...Object.fromEntries(ofHost), '.': { special: notMade, link: notMade, file: notMade } },
  static: { '<published>/etcd-ca': ofStatic, '<published>/etcd-key': ofStatic },
  source: { '<published>/etcd-ca': ofSource, '<published>/etcd-key': ofSource },
  'ca-file': { '<published>/etcd-ca': ofFile('file-invalid') },
  'token-file': { '<published>/etcd-ca': ofFile('credential-missing|credential-invalid') },
}

interface Case {
  readonly title: string
  readonly stop: Stop
  readonly kind: string
  readonly name: string
}

function wantedOf({ stop: { place }, name, kind }: Case, user: number | undefined): Visit {
  // A socket that nobody listens on is what a killed agent leaves.
  if (name === '..lock' && kind === 'dead socket') return {}
  const wanted = table[place][name]?.[groupOf(kind)] ?? {}
  const isDenied = kind === 'file without rights' && user !== undefined && wanted === broken && name.includes('/')
  return isDenied ? { current: 'directory-denied' } : wanted
}

/** A published directory in which one name is something else. */
async function prepare(root: string, place: Place, name: string, kind: string, scene: Scene): Promise<Case> {
  const title = `${place} ${name} ${kind}`
  const path = join(root, title.replaceAll(/[^\w]+/g, '-'), 'calico-tls')
  mkdirSync(path, { recursive: true })
  openSecretDir(path, attributes).publish(old, new Date(0))
  const [current = ''] = generationsIn(path)
  const replaced = name === '.' ? path : join(path, name.replace('<published>', current))
  rmSync(replaced, { recursive: true, force: true })
  await kinds[kind]?.(replaced, scene)
  return { title, stop: { place, path }, kind, name }
}

/** Answers what came of every case, or fails after the deadline. */
async function tour(cases: readonly Case[], user: number | undefined): Promise<Visit[]> {
  const list = join(tempDir(), 'list.json')
  writeFileSync(
    list,
    JSON.stringify({ stops: cases.map(({ stop }) => stop), bundle: { ...next, key: next.key.reveal() } }),
  )
  const scratch = dirname(list)
  if (user !== undefined) execFileSync('chown', ['-R', `${user}:${user}`, scratch])
  const child = spawn(node, [join(import.meta.dirname, 'store-tour.ts'), list], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(user === undefined ? {} : { uid: user, gid: user }),
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  let complaints = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()))
  const deadline = setTimeout(() => child.kill('SIGKILL'), deadlineMs)
  const code = await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(deadline)
  const visits = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line || '{}') as Visit)
  const stopped = cases[visits.length]?.title
  expect({ code, stopped, complaints: code === 0 ? '' : complaints }).toEqual({
    code: 0,
    stopped: undefined,
    complaints: '',
  })
  return visits
}

describe.each([
  ['as this user', undefined],
  ['as another user', stranger],
] as const)('%s', (_who, user) => {
  const leftOut = user !== undefined && !isRoot
  test.skipIf(leftOut)(
    `every name, every kind${leftOut ? ' (left out: needs root)' : ''}`,
    { timeout: 2 * deadlineMs },
    async () => {
      const root = tempDir()
      const scene = { victim: join(root, 'token'), elsewhere: join(root, 'elsewhere') }
      mkdirSync(scene.elsewhere)
      for (const file of [scene.victim, join(scene.elsewhere, 'etcd-ca'), join(scene.elsewhere, 'etcd-key')])
        writeFileSync(file, secret)
      const cases: Case[] = []
      for (const [place, each] of Object.entries(table) as [Place, object][])
        for (const name of Object.keys(each))
          for (const kind of Object.keys(kinds)) cases.push(await prepare(root, place, name, kind, scene))
      if (user !== undefined) execFileSync('chown', ['-hR', `${user}:${user}`, root])
      const before = statsOf(scene)
      const visits = await tour(cases, user)
      const problems = cases.flatMap((each, index) => problemsOf(each, visits[index] ?? {}, user))
      expect(problems).toEqual([])
      expect(statsOf(scene)).toEqual(before)
      expect(readdirSync(scene.elsewhere)).toEqual(['etcd-ca', 'etcd-key'])
      for (const file of [scene.victim, join(scene.elsewhere, 'etcd-key')])
        expect(readFileSync(file, 'utf8')).toBe(secret)
    },
  )
})

const statsOf = ({ victim, elsewhere }: Scene) =>
  [victim, elsewhere].map((path) => [lstatSync(path).mode, lstatSync(path).uid, lstatSync(path).gid])

/** What is not as it must be after a visit. */
function problemsOf(each: Case, visit: Visit, user: number | undefined): string[] {
  const { stop, title } = each
  const wanted = wantedOf(each, user)
  const wrong = Object.entries(visit).filter(
    ([step, said]) => !new RegExp(`^(${wanted[step] ?? 'ok'})(:|$)`).test(said),
  )
  const isNamed = (said: string): boolean => said === 'ok' || said.includes(stop.path) || stop.place === 'ca-file'
  const isPublished = visit['publish'] === 'ok' || visit['sync'] === 'ok'
  const problems = wrong.map(([step, said]) => `${step}: ${said}`)
  problems.push(...Object.values(visit).flatMap((said) => (isNamed(said) ? [] : [`the path is not named: ${said}`])))
  if (Object.keys(visit).length === 0) problems.push('not visited')
  if (isPublished && JSON.stringify(readNames(stop.path)) !== JSON.stringify(texts(next)))
    problems.push('not published')
  if (isPublished && holdsSecret(stop.path)) problems.push('the secret was copied')
  return problems.map((problem) => `${title}: ${problem}`)
}

/** Whether a file that the agent has made, in a generation, holds what only a link led to. */
function holdsSecret(path: string): boolean {
  const files = generationsIn(path).flatMap((name) => {
    const place = join(path, name)
    return lstatSync(place).isDirectory() ? readdirSync(place).map((each) => join(place, each)) : []
  })
  return files.some((file) => {
    const stat = lstatSync(file)
    return stat.isFile() && stat.size < 100_000 && stat.mode % 0o1000 > 0 && readFileSync(file, 'utf8').includes(secret)
  })
}
