/** The first process inside the namespaces of a run: runs the tests. Everything else there ends with it. */
import { startVitest } from 'vitest/node'

const [pattern] = process.argv.slice(2)
const vitest = await startVitest('test', [], {
  config: 'test/e2e/vitest.config.ts',
  watch: false,
  ...(pattern === undefined ? {} : { testNamePattern: pattern }),
})
const modules = vitest.state.getTestModules()
const isGood = modules.length > 0 && modules.every((module) => module.ok())
await vitest.close()
process.exit(isGood ? 0 : 1)
