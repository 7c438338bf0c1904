/** Brings dist/ up to date before the tests that start the program: they run what is shipped, and never an older build of it. */
import { createRequire } from 'node:module'

const { prepare } = createRequire(import.meta.url)('../../build/prepare.cjs') as { prepare: () => string | undefined }

export function setup(): void {
  const problem = prepare()
  if (problem !== undefined) throw new Error(problem)
}
