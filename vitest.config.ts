import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Whatever takes longest begins first, also on a machine that has run nothing before: its end is the end of all. */
const longest = [
  'faults/cluster',
  'agent/etcd-probe',
  'faults/matrix',
  'agent/cluster',
  'doctor/misconfigurations',
  'manifests/versions',
  'etcd/watch',
  'etcd/lockout',
  'setup-vault/export',
  'setup-vault/apply',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification): number => {
      const rank = longest.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`))
      return rank < 0 ? longest.length : rank
    }
    // oxlint-disable-next-line unicorn/no-array-sort -- that of the sequencer, not of an array
    return (await super.sort(files)).toSorted((one, other) => rankOf(one) - rankOf(other))
  }
}

export default defineConfig({
  test: {
    pool: 'forks',
    sequence: { sequencer: LongestFirst },
    // Most of a test against a real server is waiting for it: two cores are busy with four of them. By default they get one.
    maxWorkers: availableParallelism() + 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          // They change nothing outside themselves, and loading everything anew for each file takes longer than most of them.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'servers',
          globalSetup: 'test/support/built.ts',
          include: ['test/**/*.test.ts'],
          // npm run image, npm run e2e
          exclude: ['test/unit/**', 'test/image/**', 'test/e2e/**'],
        },
      },
    ],
  },
})
