/** Owns the options of `rotate-ca`: which there are, which go together, and what is wrong with them. */
import type { Command } from 'commander'
import { parseDuration } from '../core/duration.ts'
import type { Expected } from '../operator/ca-rotation/agents.ts'
import type { NewRoot } from '../operator/ca-rotation/state.ts'
import { type KeyType, keyTypes } from '../pki/key.ts'
import { type ConnectionSettings, type GivenConnection, readConnection, vaultOptions } from './connection-options.ts'
import { UsageError } from './exit.ts'
import {
  addOptions,
  choice,
  filled,
  listOf,
  nodesFileOption,
  nodesOf,
  noPlanOptions,
  type OptionRow,
  only,
  outputOption,
  type PlanOptions,
  planOptions,
  type Read,
} from './options.ts'

type Action = RotateCaOptions['action']

export interface RotateCaOptions extends PlanOptions, Expected {
  readonly action: 'plan' | 'apply' | 'status'
  readonly mount: string
  /** Undefined: the one that signs now. */
  readonly issuer: string | undefined
  readonly root: NewRoot | undefined
  readonly retire: readonly string[]
  readonly etcdTrustsNew: boolean
  /** URLs. */
  readonly agents: readonly string[]
  readonly prometheus: string | undefined
  readonly prometheusTokenFile: string | undefined
  readonly selector: string
  /** `-` is standard input. */
  readonly nodesFile: string | undefined
  /** Undefined: as long as it takes. */
  readonly waitMs: number | undefined
  readonly pollMs: number
  readonly connection: ConnectionSettings
}

/** As commander reads them: `mount` always, as it has a default. */
type Given = Pick<RotateCaOptions, 'mount'> &
  Partial<Omit<RotateCaOptions, 'action'>> &
  GivenConnection & {
    readonly commonName?: string
    readonly ttl?: number
    readonly keyType?: KeyType
    readonly wait?: number
    readonly poll?: number
  }

const notGiven = {
  ...noPlanOptions,
  issuer: undefined,
  retire: [],
  etcdTrustsNew: false,
  agents: [],
  prometheus: undefined,
  prometheusTokenFile: undefined,
  selector: '',
  nodes: [],
  nodesFile: undefined,
  count: 0,
  without: [],
} as const

export function addRotateCa(add: (action: Action) => Command, done: (options: RotateCaOptions) => void): void {
  for (const action of ['plan', 'apply', 'status'] as const) {
    addOptions(add(action), rowsOf(action)).action((given: Given) => done(readOptions(action, given)))
  }
}

function rowsOf(action: Action): readonly OptionRow[] {
  const isPlanned = action !== 'status'
  return [
    ['--mount <path>', 'the PKI mount', matching(/^\w[\w./-]*\w$/, 'a path such as pki'), 'pki'],
    [
      '--issuer <name>',
      `the issuer that is to sign, by name or id${isPlanned ? '; to go back, name the old one' : ' (default: the one that signs now)'}`,
      issuerName,
    ],
    ...only(
      isPlanned,
      ['--common-name <name>', 'if there is no such issuer, make it: a root CA of this name', filled],
      ['--ttl <duration>', 'how long that CA lives', durationFrom(3_600_000), '87600h'],
      choice('--key-type <type>', 'its key', keyTypes),
      ['--etcd-trusts-new', 'you say: every etcd member has the new CA in --trusted-ca-file'],
    ),
    ['--retire <names>', 'the issuers to delete at the end, by name or id, with commas', eachOf(issuerName)],
    [
      '--agents <addresses>',
      "the agents' metrics, host:port or URL, with commas; each must answer",
      eachOf(agentAddress),
    ],
    ['--prometheus <url>', 'a Prometheus that has their metrics; with --nodes, --nodes-file or --count', address],
    ['--prometheus-token-file <file>', 'a bearer token for it'],
    ['--selector <matchers>', 'labels of this cluster\'s agents there, such as cluster="prod"'],
    ['--nodes <names>', 'the nodes, with commas; each must have an agent that answers', nodesOf],
    nodesFileOption,
    ['--count <number>', 'how many agents must answer', count],
    ['--without <names>', 'nodes or addresses to go on without if they say nothing, with commas', listOf],
    ...only(
      action === 'apply',
      [
        '--wait <duration>',
        'how long to wait for agents; 0: do what can be done now (default: no limit)',
        durationFrom(0),
      ],
      ['--poll <duration>', 'how often to ask Vault and the agents meanwhile', durationFrom(100), '10s'],
    ),
    ...vaultOptions,
    ...(isPlanned ? planOptions(action) : [outputOption()]),
  ]
}

/** @throws UsageError for options that do not go together */
function readOptions(
  action: Action,
  { commonName, ttl = 0, keyType = keyTypes[0], wait, poll = 10_000, ...given }: Given,
): RotateCaOptions {
  const { issuer, agents, prometheus, nodes, nodesFile } = given
  if (action !== 'status' && issuer === undefined) throw new UsageError('rotate-ca needs --issuer')
  if ((agents === undefined) === (prometheus === undefined)) {
    throw new UsageError('rotate-ca needs --agents or --prometheus, not both: it must know what the agents publish')
  }
  if (prometheus !== undefined && nodes === undefined && nodesFile === undefined && given.count === undefined) {
    throw new UsageError(
      '--prometheus needs --nodes, --nodes-file or --count: an agent that is down is not in its answer',
    )
  }
  return {
    ...notGiven,
    ...given,
    action,
    root: commonName === undefined ? undefined : { commonName, ttlSeconds: ttl / 1000, keyType },
    waitMs: wait,
    pollMs: poll,
    connection: readConnection(given),
  }
}

function eachOf<Value>(read: Read<Value>): Read<Value[]> {
  return (text, flag) => listOf(text, flag).map((each) => read(each, flag))
}

/** As Vault has names of issuers; `default` means the one that signs. */
function issuerName(text: string, flag: string): string {
  if (text === 'default') throw new UsageError(`${flag} is a name or an id; default changes its meaning on the way`)
  return matching(/^\w[\w.-]*$/, 'the name or the id of an issuer')(text, flag)
}

function count(text: string, flag: string): number {
  return Number(matching(/^\d{1,6}$/, 'a number')(text, flag))
}

function matching(form: RegExp, meaning: string): Read<string> {
  return (text, flag) => {
    if (!form.test(text)) throw new UsageError(`${flag} is ${meaning}, not ${JSON.stringify(text)}`)
    return text
  }
}

/** The port is that of AGENT_LISTEN, unless another is given. */
function agentAddress(text: string, flag: string): string {
  if (text.includes('://')) return address(text, flag)
  return address(/:\d+$/.test(text) ? `http://${text}` : `http://${text}:9879`, flag)
}

function address(text: string, flag: string): string {
  if (!URL.canParse(text) || !/^https?:\/\/[^/]/.test(text)) {
    throw new UsageError(`${flag} is host:port or a URL, not ${JSON.stringify(text)}`)
  }
  return text
}

function durationFrom(leastMs: number): Read<number> {
  return (text, flag) => {
    const ms = parseDuration(text)
    if (ms === undefined || ms < leastMs) {
      throw new UsageError(`${flag} is a duration such as 30s or 48h, not ${JSON.stringify(text)}`)
    }
    return ms
  }
}
