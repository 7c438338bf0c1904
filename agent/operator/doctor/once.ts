/** Owns effects that happen once however often they are asked for, and fail alike each time. */

export function once<Result>(effect: () => Result): () => Result {
  const get = onceFor(effect)
  return () => get(undefined)
}

/** Once for each argument. What is thrown is kept like what is answered. */
export function onceFor<Argument, Result>(effect: (argument: Argument) => Result): (argument: Argument) => Result {
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
