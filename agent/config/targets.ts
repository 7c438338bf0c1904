/** Owns reading the targets: AGENT_TARGETS, or the single one of AGENT_COMPONENT and AGENT_DIR. */
import { isAbsolute, join, normalize } from 'node:path'
import { type EnvironmentReader, quote } from './reader.ts'
import type { VariableName } from './variables.ts'

export interface TargetPath {
  readonly component: string
  readonly directory: string
}

/** Component names become common names, PKI role names and metric labels: letters, digits and `-._` only. */
const componentPattern = /^[A-Za-z0-9]([-A-Za-z0-9._]{0,61}[A-Za-z0-9])?$/

export function readTargets(reader: EnvironmentReader): TargetPath[] {
  const list = reader.optional('AGENT_TARGETS')
  if (list === undefined) {
    const directory = reader.absolutePath('AGENT_DIR') ?? reader.text('AGENT_DIR')
    return checked(reader, 'AGENT_COMPONENT', [
      { component: reader.text('AGENT_COMPONENT'), directory: plainPath(directory) },
    ])
  }
  for (const single of ['AGENT_COMPONENT', 'AGENT_DIR'] as const) {
    if (reader.isSet(single)) reader.problem('AGENT_TARGETS', `and ${single} exclude each other; keep one of them`)
  }
  const targets: TargetPath[] = []
  for (const part of list.split(',').map((each) => each.trim())) {
    const [component = '', directory = '', ...rest] = part.split('=')
    if (component === '' || directory === '' || rest.length > 0 || !isAbsolute(directory)) {
      reader.problem('AGENT_TARGETS', `has ${quote(part)}; each target is component=/absolute/directory`)
    } else {
      targets.push({ component, directory: plainPath(directory) })
    }
  }
  return checked(reader, 'AGENT_TARGETS', targets)
}

function checked(
  reader: EnvironmentReader,
  name: 'AGENT_TARGETS' | 'AGENT_COMPONENT',
  targets: TargetPath[],
): TargetPath[] {
  for (const [index, { component, directory }] of targets.entries()) {
    if (!componentPattern.test(component)) {
      reader.problem(name, `has the component ${quote(component)}; use letters, digits, '-', '.' and '_' (at most 63)`)
    }
    for (const earlier of targets.slice(0, index)) {
      if (earlier.component === component) reader.problem(name, `names the component ${component} twice`)
      if (earlier.directory === directory) reader.problem(name, `names the directory ${directory} twice`)
    }
  }
  return targets
}

/** Reports AGENT_STATE_DIR, AGENT_BOOTSTRAP_DIR and AGENT_SOURCE_DIR where they would be the directory of a target. */
export function refuseSharedDirectories(
  reader: EnvironmentReader,
  targets: readonly TargetPath[],
  {
    state,
    bootstrap,
    source,
  }: {
    readonly state: string | undefined
    readonly bootstrap: string | undefined
    readonly source: readonly string[]
  },
): void {
  const refuse = (name: VariableName, taken: readonly string[]): void => {
    const target = targets.find(({ directory }) => taken.map(plainPath).includes(directory))
    if (target === undefined) return
    reader.problem(name, `would use ${target.directory}, the directory of ${target.component}; name another directory`)
  }
  refuse('AGENT_SOURCE_DIR', source)
  if (bootstrap !== undefined) refuse('AGENT_BOOTSTRAP_DIR', [bootstrap])
  if (state !== undefined) {
    refuse('AGENT_STATE_DIR', [state, ...targets.map(({ component }) => join(state, component))])
  }
}

/** Without doubled and trailing slashes, so that equal directories are equal texts. */
export function plainPath(path: string): string {
  return normalize(path).replace(/(.)\/$/, '$1')
}
