import { defineConfig } from 'vitest/config'

/** Where the outcome is written as JSON, if anywhere. */
const results = process.env['E2E_RESULTS']
const json: [string, Record<string, unknown>][] = results === undefined ? [] : [['json', { outputFile: results }]]

/** One cluster, on which one test comes after the other; the first that fails may take others with it. */
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    pool: 'forks',
    reporters: ['verbose', ...json],
    disableConsoleIntercept: true,
    testTimeout: 180_000,
    hookTimeout: 300_000,
  },
})
