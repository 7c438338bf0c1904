import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // npm run image, npm run e2e
    exclude: ['test/image/**', 'test/e2e/**'],
    pool: 'forks',
    // Most of a test against a real server is waiting for it. Without this, two cores get one worker.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
