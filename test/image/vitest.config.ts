import { defineConfig } from 'vitest/config'

/** Apart from `npm test`: it needs buildah, and the first base takes half a minute. */
export default defineConfig({
  test: {
    include: ['test/image/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 600_000,
  },
})
