/**
 * The store after a crash at every single system call of a publication, and after every system call has failed: the old
 * bundle or the new one, whole, and a next publication that succeeds and cleans up.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { AgentError } from '../../agent/core/errors.ts'
import type { BundleText } from '../../agent/pki/bundle.ts'
import { fileNames } from '../../agent/sidecar/store/published-layout.ts'
import { openSecretDir } from '../../agent/sidecar/store/secret-dir.ts'
import { Crash, createFaultyFiles, type Fault, type FileCall } from '../support/faulty-files.ts'
import { tempDir } from '../support/temp-dir.ts'
import { attributes, createBundles, litterIn, readNames, texts } from '../unit/sidecar/store/bundles.ts'

const at = (ms: number): Date => new Date(Date.UTC(2026, 10, 21) + ms)
let oldest: BundleText
let old: BundleText
let next: BundleText
let last: BundleText

beforeAll(async () => {
  ;[oldest, old, next, last] = (await createBundles(4)) as [BundleText, BundleText, BundleText, BundleText]
})

interface Scenario {
  readonly name: string
  /** Prepares the directory for the publication of `next`. */
  readonly prepare: (directory: string) => void
  /** What stands in the directory then. */
  readonly before: () => BundleText | undefined
  /** The generation before that one. */
  readonly previous: () => BundleText | undefined
}

const publish = (directory: string, bundle: BundleText, ms: number): unknown =>
  openSecretDir(directory, attributes).publish(bundle, at(ms))

const scenarios: readonly Scenario[] = [
  { name: 'the first publication', prepare: () => {}, before: () => undefined, previous: () => undefined },
  {
    name: 'the second publication',
    prepare: (directory) => publish(directory, old, 0),
    before: () => old,
    previous: () => undefined,
  },
  {
    name: 'the third publication, which removes the first',
    prepare: (directory) => {
      publish(directory, oldest, 0)
      publish(directory, old, 1)
    },
    before: () => old,
    previous: () => oldest,
  },
  {
    name: 'the adoption of plain files',
    prepare: (directory) => {
      for (const [index, name] of Object.values(fileNames).entries()) {
        writeFileSync(join(directory, name), texts(old)[index] ?? '')
      }
    },
    before: () => old,
    previous: () => undefined,
  },
]

interface Attempt {
  readonly directory: string
  readonly calls: readonly FileCall[]
  readonly error: unknown
  /** Told by a publication that succeeded all the same. */
  readonly flaws: readonly AgentError[]
}

/** A publication of `next` with faults, in a fresh directory. */
function attempt({ prepare }: Scenario, faultAt: (index: number, call: FileCall) => Fault): Attempt {
  const directory = tempDir()
  prepare(directory)
  return { directory, ...publishWithFaults(directory, faultAt) }
}

function publishWithFaults(directory: string, faultAt: (index: number, call: FileCall) => Fault) {
  const { files, calls } = createFaultyFiles(faultAt)
  const secretDir = openSecretDir(directory, attributes, { files })
  try {
    secretDir.publish(next, at(1000))
    return { calls, error: undefined, flaws: secretDir.flaws() }
  } catch (error) {
    return { calls, error, flaws: [] }
  }
}

/** What is wrong with the directory after a failure; it must hold `before` or `next`, and take a next publication. */
function problems(directory: string, { before, previous }: Scenario): string[] {
  const found: string[] = []
  const check = (isGood: boolean, problem: string): void => {
    if (!isGood) found.push(problem)
  }
  const isOneOf = (one: unknown, of: readonly unknown[]): boolean => of.some((each) => isSame(one, each))
  const secretDir = openSecretDir(directory, attributes)
  const current = secretDir.current()?.text
  check(isOneOf(current, [before(), next]), 'current() is neither the old bundle nor the new one')
  const byName = readNames(directory)
  const wholes = [before(), next].map((bundle) => (bundle === undefined ? [] : texts(bundle)))
  // Before the first publication has ended, names may be missing: nobody has been told of them.
  if (before() !== undefined) check(isOneOf(byName, wholes), 'the names lead to a mixture, or to nothing')
  // A generation that was left over (the new one, or the copy of plain files) counts as the one before where there is no
  // other: that errs on the safe side.
  const leftOver = previous() === undefined ? [next, before()] : []
  const wanted = isSame(current, next) ? [before()] : [previous(), ...leftOver]
  check(current === undefined || isOneOf(secretDir.previous()?.text, wanted), 'previous() is not the one before')
  secretDir.publish(last, at(2000))
  check(isSame(readNames(directory), texts(last)), 'the next publication is not visible')
  check(secretDir.hasAttributes(), 'the next publication has not the right attributes')
  check(current === undefined || isSame(secretDir.previous()?.text, current), 'the bundle before it was lost')
  found.push(...litterIn(directory).map((name) => `${name} is left over`))
  return found
}

function isSame(one: unknown, other: unknown): boolean {
  const plain = (value: unknown): string =>
    JSON.stringify(value, (_key, each: unknown) => (isBundle(each) ? texts(each) : each)) ?? ''
  return plain(one) === plain(other)
}

function isBundle(value: unknown): value is BundleText {
  return typeof value === 'object' && value !== null && 'certificate' in value
}

describe.each(scenarios)('$name', (scenario) => {
  test.each(['crash-before', 'crash-after'] as const)('%s any system call', (kind) => {
    const { calls, error } = attempt(scenario, () => undefined)
    expect(error).toBeUndefined()
    expect(calls.length).toBeGreaterThan(25)
    const failures = calls.flatMap((call, crashAt) => {
      const crashed = attempt(scenario, (index) => (index === crashAt ? kind : undefined))
      expect(crashed.error).toBeInstanceOf(Crash)
      return problems(crashed.directory, scenario).map((problem) => `${crashAt} ${call}: ${problem}`)
    })
    expect(failures).toEqual([])
  })

  test('a crash at any system call, and another one at any call of the next attempt', () => {
    const { calls } = attempt(scenario, () => undefined)
    const failures: string[] = []
    for (let first = 0; first < calls.length; first += 3) {
      for (let second = first % 4; second < calls.length + 5; second += 4) {
        const { directory } = attempt(scenario, (index) => (index === first ? 'crash-before' : undefined))
        const again = publishWithFaults(directory, (index) => (index === second ? 'crash-after' : undefined))
        // Which generation is the one before depends on whether the first attempt got as far as publishing.
        const either: Scenario = again.error === undefined ? { ...scenario, before: () => next } : scenario
        const found = problems(directory, either).filter((problem) => !problem.startsWith('previous()'))
        failures.push(...found.map((problem) => `${first}, then ${second}: ${problem}`))
      }
    }
    expect(failures).toEqual([])
  })

  test.each([
    ['ENOSPC', 'directory-full'],
    ['EIO', 'directory-failed'],
    ['EROFS', 'directory-read-only'],
    ['EACCES', 'directory-denied'],
  ])('%s of any system call is %s, and nothing is lost', (code, reason) => {
    const { calls } = attempt(scenario, () => undefined)
    const failures = calls.flatMap((call, failAt) => {
      const failed = attempt(scenario, (index) => (index === failAt ? { code } : undefined))
      const isExpected = failed.error instanceof AgentError && failed.error.code === reason
      // A generation that cannot be removed is the one thing that does not stop a publication.
      const isTold = failed.error === undefined && failed.flaws.some((flaw) => flaw.code === 'generation-stuck')
      const isGood = isExpected || isTold
      const found = isGood ? [] : [`ended with ${String(failed.error)}`]
      return [...found, ...problems(failed.directory, scenario)].map((problem) => `${failAt} ${call}: ${problem}`)
    })
    expect(failures).toEqual([])
  })
})
