import { defineConfig } from 'vitest/config'

/** One cluster, on which one test comes after the other; the first that fails may take others with it. */
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    pool: 'forks',
    reporters: ['verbose'],
    disableConsoleIntercept: true,
    testTimeout: 180_000,
    hookTimeout: 300_000,
  },
})
