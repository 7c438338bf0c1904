/** Owns the command line: every command with its options and its help, read by commander. Nothing is done here. */
import { Command, CommanderError } from 'commander'
import { parseDuration } from '../core/duration.ts'
import { version } from '../core/version.ts'
import { candidates, completionScript, shells } from './completion.ts'
import {
  type ConnectionSettings,
  endpointsOption,
  type GivenConnection,
  readConnection,
  vaultOptions,
} from './connection-options.ts'
import { UsageError } from './exit.ts'
import { type CommandHelp, commandHelp, type HelpName, variablesHelp } from './help.ts'
import { addOptions, type OutputOptions, outputOption } from './options.ts'
import { addProvision, type ProvisionOptions } from './provision-options.ts'
import { addRotateCa, type RotateCaOptions } from './rotate-ca-options.ts'
import { addSetupVault, type SetupVaultOptions } from './setup-vault-options.ts'

export interface StatusOptions extends OutputOptions {
  readonly watch: boolean
}

export interface DoctorOptions extends OutputOptions {
  readonly signs: boolean
  readonly connection: ConnectionSettings
  readonly consumer: { readonly uid: number; readonly gid: number } | undefined
}

/** As commander reads them. */
interface GivenDoctor extends Omit<DoctorOptions, 'signs' | 'connection'>, GivenConnection {
  readonly sign: boolean
}

/** What is to be done. */
export type Task =
  | { readonly command: 'print'; readonly text: string }
  | { readonly command: 'run' }
  | { readonly command: 'renew' }
  | { readonly command: 'init' | 'started'; readonly waitMs: number }
  | { readonly command: 'status'; readonly options: StatusOptions }
  | { readonly command: 'doctor'; readonly options: DoctorOptions }
  | { readonly command: 'provision'; readonly options: ProvisionOptions }
  | { readonly command: 'setup-vault'; readonly options: SetupVaultOptions }
  | { readonly command: 'rotate-ca'; readonly options: RotateCaOptions }

const name = 'calico-vault-agent'
const columns = 80

/** @throws UsageError */
export function parseCommandLine(argv: readonly string[]): Task {
  if (argv[0] === 'complete') return { command: 'print', text: complete(argv.slice(argv[1] === '--' ? 2 : 1)) }
  const tasks: Task[] = []
  let text = ''
  const program = createProgram(
    (task) => tasks.push(task),
    (part) => (text += part),
  )
  try {
    program.parse(helpFirst(argv), { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return { command: 'print', text }
    throw new UsageError(messageOf(error, argv))
  }
  const [task] = tasks
  if (task === undefined) throw new Error('commander has called no action')
  return task
}

/** Whoever adds --help to a line that was refused is to get it: commander would read the wrong option first. */
function helpFirst(argv: readonly string[]): readonly string[] {
  if (argv.length === 0) return ['run']
  const asksForHelp = argv.includes('--help') || argv.includes('-h')
  return asksForHelp ? [...namedCommand(argv).words, '--help'] : argv
}

/** One candidate a line. Asked for by the scripts of the shells. */
function complete(words: readonly string[]): string {
  return candidates(
    createProgram(() => {}),
    words,
  )
    .map((word) => `${word}\n`)
    .join('')
}

/** The words in front of the options that name a command, for `see … --help`. */
export function commandOf(argv: readonly string[]): string {
  return namedCommand(argv).words.join(' ')
}

function namedCommand(argv: readonly string[]): { readonly command: Command; readonly words: readonly string[] } {
  let command = createProgram(() => {})
  const words: string[] = []
  for (const word of argv) {
    // `help provision plan` is about what follows.
    if (word === 'help') continue
    const next = command.commands.find((each) => each.name() === word)
    if (next === undefined) break
    words.push(word)
    command = next
  }
  return { command, words }
}

function messageOf({ code, message }: CommanderError, argv: readonly string[]): string {
  if (code !== 'commander.help') return message.replace(/^error: /, '').replaceAll('\n', ' ')
  const { command, words } = namedCommand(argv)
  const actions = command.commands.map((each) => each.name()).join(', ')
  return words.length === 0 ? 'a command is missing' : `${words.join(' ')} needs one of ${actions}`
}

export function createProgram(done: (task: Task) => void, print: (text: string) => void = () => {}): Command {
  const versionText = `${name} ${version} (node ${process.versions.node})`
  const program = new Command(name)
    .description(
      'Gives every Calico component on every node its own short-lived etcd certificate, signed by Vault or OpenBao. Without a command: run.',
    )
    .version(versionText, '--version', 'the version')
    .helpOption('-h, --help', 'this text, or that of a command')
    .helpCommand('help [command]', 'the help of a command')
    .addHelpText('after', () => variablesHelp(columns))
    // The commands below have both of it.
    .configureOutput({ writeOut: print, writeErr: () => {}, getOutHelpWidth: () => columns })
    .exitOverride()
  const add = (parent: Command, path: HelpName): Command => {
    const { summary, description = sentence(summary), after }: CommandHelp = commandHelp[path]
    const command = parent.command(path.split(' ').at(-1) ?? path)
    return command
      .summary(summary)
      .description(description)
      .addHelpText('after', after === '' ? '' : `\n${after}`)
  }
  const addGroup = (path: HelpName): ((action: string) => Command) => {
    const group = add(program, path)
    return (action) => add(group, `${path} ${action}` as HelpName)
  }
  add(program, 'run').action(() => done({ command: 'run' }))
  const waiting = {
    init: 'how long to try, such as 30s or 5m',
    started: 'how long to wait; as a startup probe, less than its timeoutSeconds',
  } as const
  for (const command of ['init', 'started'] as const) {
    addOptions(add(program, command), [['--wait <duration>', waiting[command], waitOf, '60s']]).action(
      ({ wait: waitMs }: { wait: number }) => done({ command, waitMs }),
    )
  }
  add(program, 'renew').action(() => done({ command: 'renew' }))
  add(program, 'status')
    .option('--watch', 'again every two seconds, until Ctrl-C', false)
    .addOption(outputOption())
    .action((options: StatusOptions) => done({ command: 'status', options }))
  addOptions(add(program, 'doctor'), [
    ...vaultOptions,
    endpointsOption,
    ['--no-sign', 'have no certificate signed; etcd is then asked with the published one'],
    ['--consumer <uid[:gid]>', "who reads the files, unless it is the user of Calico's own image", consumerOf],
    outputOption(),
  ]).action(({ sign, output, consumer, ...given }: GivenDoctor) =>
    done({ command: 'doctor', options: { signs: sign, output, consumer, connection: readConnection(given) } }),
  )
  addProvision(addGroup('provision'), (options) => done({ command: 'provision', options }))
  addSetupVault(addGroup('setup-vault'), (options) => done({ command: 'setup-vault', options }))
  addRotateCa(addGroup('rotate-ca'), (options) => done({ command: 'rotate-ca', options }))
  program
    .command('completion')
    .summary('completion of commands and options, for a shell')
    .description('Prints a script for a shell: source <(calico-vault-agent completion bash)')
    .argument('<shell>', shells.join(', '))
    .action((shell: string) => done({ command: 'print', text: completionScript(shell) }))
  program
    .command('version')
    .summary('the version')
    .action(() => done({ command: 'print', text: `${versionText}\n` }))
  return program
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

function waitOf(text: string, flag: string): number {
  const waitMs = parseDuration(text)
  if (waitMs === undefined) throw new UsageError(`${flag} takes one duration such as 30s`)
  return waitMs
}

function consumerOf(text: string, flag: string): DoctorOptions['consumer'] {
  const [, uid, gid = '0'] = /^(\d{1,9})(?::(\d{1,9}))?$/.exec(text) ?? []
  if (uid === undefined) throw new UsageError(`${flag} is a user such as 999 or 10001:10001`)
  return { uid: Number(uid), gid: Number(gid) }
}
