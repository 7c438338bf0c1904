/** Owns reading the options of the commands, and what is wrong with them. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { messageOf } from '../core/errors.ts'
import { UsageError } from './failure.ts'

/** @throws UsageError that names the command */
export function parseArguments<const Flags extends ParseArgsOptionsConfig>(
  command: string,
  argv: readonly string[],
  options: Flags,
) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true })
  } catch (error) {
    // `Unknown option '--x'. To specify a positional …`: the first sentence says it.
    throw new UsageError(`${command}: ${messageOf(error).split('. ', 1)[0]}`)
  }
}

/** For a command without actions: only options. @throws UsageError */
export function parseFlags<const Flags extends ParseArgsOptionsConfig>(
  command: string,
  argv: readonly string[],
  options: Flags,
) {
  const { values, positionals } = parseArguments(command, argv, options)
  if (positionals[0] !== undefined) throw new UsageError(`${command} takes no ${positionals[0]}`)
  return values
}

/** The first argument: what is to be done. @throws UsageError where it is missing, unknown or not alone */
export function parseAction<const Action extends string>(
  command: string,
  [name, ...rest]: readonly string[],
  actions: readonly Action[],
): Action {
  const action = actions.find((each) => each === name)
  if (action === undefined) throw new UsageError(`${command} needs one of ${actions.join(', ')}`)
  if (rest[0] !== undefined) throw new UsageError(`${command} ${action} takes no ${rest[0]}`)
  return action
}

/**
 * Flags that mean something for some actions only: silently ignored, they would promise what does not happen.
 * @throws UsageError
 */
export function refuseMeaningless<Action extends string>(
  command: string,
  action: Action,
  values: Readonly<Record<string, unknown>>,
  only: Readonly<Record<string, readonly Action[]>>,
): void {
  for (const [flag, allowed] of Object.entries(only)) {
    if (values[flag] !== undefined && !allowed.includes(action)) {
      throw new UsageError(`--${flag} has no meaning for ${command} ${action}`)
    }
  }
}

/** @throws UsageError where the option is given and empty */
export function filled(name: string, text: string | undefined): string | undefined {
  if (text === '') throw new UsageError(`--${name} is empty`)
  return text
}

/** One of the choices; the first where the option is not given. @throws UsageError */
export function choice<const T extends string>(
  name: string,
  text: string | undefined,
  choices: readonly [T, ...T[]],
): T {
  if (text === undefined) return choices[0]
  const found = choices.find((each) => each === text)
  if (found === undefined) throw new UsageError(`--${name} is ${choices.join(' or ')}, not ${JSON.stringify(text)}`)
  return found
}
