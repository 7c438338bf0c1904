import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    pool: 'forks',
    // Most of a test against a real server is waiting for it. Without this, two cores get one worker.
    maxWorkers: availableParallelism() + 1,
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
          include: ['test/**/*.test.ts'],
          // npm run image, npm run e2e
          exclude: ['test/unit/**', 'test/image/**', 'test/e2e/**'],
        },
      },
    ],
  },
})
