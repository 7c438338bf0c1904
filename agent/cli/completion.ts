/** Owns completion in shells. Their scripts ask the program itself, so that it knows every command, option and choice. Pure. */
import type { Command } from 'commander'
import { UsageError } from './exit.ts'

const program = 'calico-vault-agent'

/** Each calls `calico-vault-agent complete -- WORD…`; the last word is the one under the cursor. */
const scripts: Readonly<Record<string, string>> = {
  bash: `_calico_vault_agent() {
  local IFS=$'\\n'
  COMPREPLY=($("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _calico_vault_agent ${program}
`,
  zsh: `#compdef ${program}
_calico_vault_agent() {
  local -a found
  found=(\${(f)"$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#found} )); then compadd -a found; else _files; fi
}
compdef _calico_vault_agent ${program}
`,
  fish: `function __calico_vault_agent
  set -l words (commandline -opc) (commandline -ct)
  ${program} complete -- $words[2..-1] 2>/dev/null
end
complete -c ${program} -a '(__calico_vault_agent)'
`,
}

export const shells: readonly string[] = Object.keys(scripts)

/** @throws UsageError */
export function completionScript(shell: string): string {
  const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined
  if (script === undefined) throw new UsageError(`completion is for ${shells.join(', ')}, not ${JSON.stringify(shell)}`)
  return script
}

/** What the last of the words can become. None: what stands there is the user's, such as the name of a file. */
export function candidates(root: Command, words: readonly string[]): string[] {
  const before = words.slice(0, -1)
  const current = words.at(-1) ?? ''
  let command = root
  for (const word of before) command = command.commands.find((each) => each.name() === word) ?? command
  const last = before.at(-1)
  const open = command.options.find(({ long, short, required }) => required && [long, short].includes(last))
  const all = open === undefined ? wordsOf(command) : (open.argChoices ?? [])
  return all.filter((word) => word.startsWith(current))
}

function wordsOf(command: Command): string[] {
  const subcommands = command.name() === 'completion' ? shells : command.commands.map((each) => each.name())
  return [...subcommands, ...command.options.flatMap(({ long }) => long ?? []), '--help']
}
