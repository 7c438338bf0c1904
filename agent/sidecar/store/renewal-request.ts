/**
 * Owns asking a running agent to renew now, over the socket by which it holds a directory (directory-lock.ts). That needs no shell,
 * no process id and no port: it works from another container of the pod and from the node. Whoever can read the private key may
 * ask, and nobody else: the request holds the key's hash. What it may cost is bounded: in certificates by the issuance budget, and in tries,
 * of which each order brings the next one forward, by the pause between two orders.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import type { Clock } from '../../core/clock.ts'
import { systemCode } from '../../core/errors.ts'
import type { Bundle } from '../../pki/bundle.ts'
import { lockName, withSocketsOf } from './directory-lock.ts'

/** `too-soon`: it was asked a moment ago. `nobody`: no agent has the directory. `unanswered`: whoever has it does not know the request. */
export type RenewalAnswer = keyof typeof answers | 'nobody' | 'unanswered'

const request = /^renew ([0-9a-f]{64})$/
const requestBytes = 'renew '.length + 64 + 1
const answers = { asked: 'asked\n', refused: 'refused\n', 'too-soon': 'too soon\n' } as const
const pauseMs = 10_000
const longestTalkMs = 1000
const clientPatienceMs = 5000
const mostAnswerBytes = 64

/** What shows that somebody can read the files that are published now; of nothing, if nothing is. */
export function proofOf(bundle: Bundle | undefined): string {
  return createHash('sha256')
    .update('calico-vault-agent renew\n')
    .update(bundle?.text.key.reveal() ?? '')
    .digest('hex')
}

export interface RenewalDeskOptions {
  /** Of what is published now; undefined: it cannot be read. */
  readonly proof: () => string | undefined
  readonly asked: () => void
  readonly monotonic: Clock['monotonic']
  /** How long one connection may last, whatever comes. */
  readonly patienceMs?: number
}

/** Serves the connections to the socket of the lock; most only ask whether somebody is here, and go. */
export function createRenewalDesk(options: RenewalDeskOptions): (socket: Socket) => void {
  const { proof, asked, monotonic, patienceMs = longestTalkMs } = options
  let askedAtMono = Number.NEGATIVE_INFINITY

  function answer(text: string): keyof typeof answers {
    const [, shown] = request.exec(text.trimEnd()) ?? []
    const wanted = shown === undefined ? undefined : proof()
    if (shown === undefined || wanted === undefined) return 'refused'
    if (!timingSafeEqual(Buffer.from(shown), Buffer.from(wanted))) return 'refused'
    if (monotonic() - askedAtMono < pauseMs) return 'too-soon'
    askedAtMono = monotonic()
    return 'asked'
  }

  return (socket) => {
    let text = ''
    socket.unref()
    socket.on('error', () => {})
    const deadline = setTimeout(() => socket.destroy(), patienceMs).unref()
    socket.once('close', () => clearTimeout(deadline))
    socket.setEncoding('latin1')
    socket.on('data', (part: string) => {
      text += part
      if (text.length < requestBytes && !text.includes('\n')) return
      socket.removeAllListeners('data')
      const given = answer(text)
      socket.end(answers[given])
      if (given === 'asked') asked()
    })
  }
}

/** Asks the agent that has the directory. */
export function askForRenewal(directory: string, proof: string): Promise<RenewalAnswer> {
  return withSocketsOf(directory, (inDir) => ask(inDir(lockName), proof))
}

function ask(path: string, proof: string): Promise<RenewalAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    let text = ''
    socket.setEncoding('latin1')
    const deadline = setTimeout(() => socket.destroy(), clientPatienceMs)
    socket.once('connect', () => socket.write(`renew ${proof}\n`))
    socket.on('data', (part: string) => {
      text += part
      if (text.length > mostAnswerBytes) socket.destroy()
    })
    socket.once('error', (error) => {
      const code = systemCode(error)
      if (code === 'ENOENT' || code === 'ECONNREFUSED') resolve('nobody')
      else if (code === 'EPIPE' || code === 'ECONNRESET') resolve('unanswered')
      else reject(error)
    })
    socket.once('close', () => {
      clearTimeout(deadline)
      const given = (Object.keys(answers) as (keyof typeof answers)[]).find((each) => answers[each] === text)
      resolve(given ?? 'unanswered')
    })
  })
}
