/** Owns what the fuzz tests share: how many cases each parser gets, from which seed, and what it may throw. */
import { inject } from 'vitest'
import { AgentError } from '../../agent/core/errors.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Cases of the whole agent, and as many over all parsers; undefined in `npm test`. */
    fuzzCases: number | undefined
    fuzzSeed: number | undefined
    /** The one case of the whole agent that is to be run. */
    fuzzCase: number | undefined
  }
}

/** The tests of this folder: the cases are divided among them. */
const parsers = 13
const numRuns = Math.ceil((inject('fuzzCases') ?? 2000) / parsers)
const seed = inject('fuzzSeed')
export const parameters = { numRuns, ...(seed === undefined ? {} : { seed }) }

/** Runs a parser; an error that is not meant for it fails the test. */
export function survives(parse: () => unknown, isMeant: (error: unknown) => boolean = isAgentError): void {
  try {
    parse()
  } catch (error) {
    if (!isMeant(error)) throw error
  }
}

export const isAgentError = (error: unknown): boolean => error instanceof AgentError && error.message.length < 4000
