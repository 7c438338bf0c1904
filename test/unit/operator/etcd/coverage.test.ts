/** Every recorded request of every version of Calico is granted, or withheld for a reason; and nothing is granted beyond. */
import { describe, expect, it } from 'vitest'
import { contains, prefixRange } from '../../../../agent/operator/etcd/grants.ts'
import { type Row, resources } from '../../../../agent/operator/etcd/profile-table.ts'
import { type Choice, grantsOf, isNeeded } from '../../../../agent/operator/etcd/profiles.ts'
import {
  type Ask,
  asksOf,
  grantsFor,
  isAbout,
  isGranted,
  namings,
  numberOf,
  profileOf,
  programs,
  traces,
  unaccounted,
  versions,
} from '../../../support/calico-rights.ts'
import { neededFor, node } from '../../../support/calico-traces.ts'
import { type Withheld, withheld } from '../../../support/calico-withheld.ts'

const choices = (version: string): readonly Choice[] => [
  ...namings.map((naming) => ({ naming, versions: [numberOf(version)], strict: false })),
  { naming: 'node', versions: [numberOf(version)], strict: true },
]

describe.each(versions)('%s', (version) => {
  it.each(programs)('%s: what is asked is granted, or withheld for a reason', (program) => {
    for (const choice of choices(version)) {
      expect([choice, unaccounted(asksOf(program, version), program, choice)]).toEqual([choice, []])
    }
  })
})

describe('the table', () => {
  const rows = programs.flatMap((program) => profileOf(program).rows.map((row) => ({ program, row })))
  const label = ({ program, row }: (typeof rows)[number]): string =>
    `${program} ${row.keys} ${row.access} ${row.naming ?? 'both'}`
  /** A request that only this row grants the writing of, or the reading if it grants no more. */
  const uses = (row: Row, { request }: Ask): boolean => {
    const needed = neededFor(request)
    if (needed === undefined || (row.access === 'readwrite' && needed.access === 'read')) return false
    const key = row.keys.split('{node}').join(node)
    return key.endsWith('*') ? contains(prefixRange(key.slice(0, -1)), needed) : key === request.range.key
  }

  it.each(rows.map((each) => [label(each), each] as const))('%s: every version in its range asks for it', (_, each) => {
    const { program, row } = each
    const inRange = versions.filter((version) =>
      isNeeded(row, { naming: row.naming ?? 'component', versions: [numberOf(version)], strict: false }),
    )
    const used = inRange.filter((version) => asksOf(program, version).some((ask) => uses(row, ask)))
    if (row.because === undefined) expect([row.keys, used]).toEqual([row.keys, inRange])
    expect(row.because ?? row.trace).not.toBeUndefined()
  })

  it.each(rows.filter(({ row }) => row.trace !== undefined).map((each) => [label(each), each] as const))(
    '%s: the trace that it names asks for it',
    (_, { row }) => {
      const named = traces.filter(({ program, situations }) =>
        situations.some((situation) => `${program} ${situation}` === row.trace),
      )
      expect(named).not.toEqual([])
      const asks = named.flatMap((trace) => trace.requests.map((request) => ({ trace, request })))
      expect(asks.some((ask) => uses(row, ask))).toBe(true)
    },
  )

  it('no row can go: without it, something that is asked would be denied', () => {
    const needless = rows.filter(({ program, row }) => {
      if (row.because !== undefined) return false
      const naming = row.naming ?? 'component'
      const profile = profileOf(program)
      const others = { ...profile, rows: profile.rows.filter((other) => other !== row) }
      // Some are only needed where `--strict` leaves out another.
      const each = versions.flatMap((version) =>
        [false, true].map((strict): Choice => ({ naming, versions: [numberOf(version)], strict })),
      )
      return each.every((choice) => {
        const { shared, ofNode } = grantsOf(others, choice)
        const rest = [...shared, ...ofNode(node)]
        const all = grantsFor(program, choice)
        return asksOf(program).every(({ request }) => !isGranted(all, request) || isGranted(rest, request))
      })
    })
    expect(needless.map(label)).toEqual([])
  })
})

describe('what is withheld', () => {
  const entries = withheld.map((entry) => [`${entry.component} ${entry.keys ?? 'compaction'}`, entry] as const)
  const choicesOf = ({ naming = 'component', strict }: Withheld): Choice[] =>
    versions.map((version) => ({ naming, versions: [numberOf(version)], strict: strict === true }))

  it.each(entries)('%s: is asked for somewhere, and denied there', (_, entry) => {
    const denied = choicesOf(entry).some((choice) =>
      asksOf(entry.component).some(
        ({ trace, request }) =>
          numberOf(trace.version) === choice.versions[0] &&
          isAbout(entry, { trace, request }, choice) &&
          !isGranted(grantsFor(entry.component, choice), request),
      ),
    )
    expect(denied).toBe(true)
  })

  it.each(entries.filter(([, { without }]) => without !== undefined))(
    '%s: is not asked for where things are as they have to be',
    (_, entry) => {
      for (const choice of choicesOf(entry)) {
        const [version] = choice.versions
        const good = traces.find(
          (trace) =>
            trace.program === entry.component &&
            numberOf(trace.version) === version &&
            trace.situations.includes(entry.without ?? ''),
        )
        expect([version, good]).not.toEqual([version, undefined])
        const asked = good?.requests.filter((request) => isAbout(entry, { trace: good, request }, choice)) ?? []
        expect([version, asked.map(({ recorded: key }) => key)]).toEqual([version, []])
      }
    },
  )
})

describe('several versions', () => {
  it('all versions at once: the union covers what each of them asks', () => {
    const all = versions.map(numberOf)
    for (const program of programs) {
      for (const naming of namings) {
        const choice: Choice = { naming, versions: all, strict: false }
        expect(unaccounted(asksOf(program), program, choice)).toEqual([])
      }
    }
  })

  it('no resource of the cluster can be written by a user of one node, but these', () => {
    const { shared } = grantsOf(profileOf('calico-node'), { naming: 'node', versions: [], strict: false })
    const written = shared.filter(({ access, key }) => access !== 'read' && key.startsWith(resources))
    expect(written.map(({ key }) => key.slice(resources.length))).toEqual([
      'clusterinformations/default',
      'ipamconfigurations/default',
      'tiers/adminnetworkpolicy',
      'tiers/baselineadminnetworkpolicy',
      'tiers/default',
      'tiers/kube-admin',
      'tiers/kube-baseline',
    ])
  })
})
