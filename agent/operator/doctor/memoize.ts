/** Owns effects that happen once however often they are asked for, and fail alike each time. */

export function memoize<Result>(effect: () => Result): () => Result {
  const get = memoizeFor(effect)
  return () => get(undefined)
}

/** Once for each argument. What is thrown is kept like what is answered. */
export function memoizeFor<Argument, Result>(effect: (argument: Argument) => Result): (argument: Argument) => Result {
  const outcomes = new Map<Argument, () => Result>()
  const attempt = (argument: Argument): (() => Result) => {
    try {
      const result = effect(argument)
      return () => result
    } catch (error) {
      return () => {
        throw error
      }
    }
  }
  return (argument) => {
    const outcome = outcomes.get(argument) ?? attempt(argument)
    outcomes.set(argument, outcome)
    return outcome()
  }
}
