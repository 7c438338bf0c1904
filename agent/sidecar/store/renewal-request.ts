/**
 * Owns asking a running agent to renew now, over the socket by which it holds a directory (directory-lock.ts). That needs no shell,
 * no process id and no port: it works from another container of the pod and from the node. Whoever can read the private key may
 * ask, and nobody else: the request holds the key's hash. What it may cost is bounded by the issuance budget.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import * as fs from 'node:fs'
import { connect, type Socket } from 'node:net'
import { systemCode } from '../../core/errors.ts'
import type { Bundle } from '../../pki/bundle.ts'
import { lockName } from './directory-lock.ts'

/** `nobody`: no agent has the directory. `unanswered`: whoever has it does not know the request. */
export type RenewalAnswer = 'asked' | 'refused' | 'nobody' | 'unanswered'

const request = /^renew ([0-9a-f]{64})$/
const requestBytes = 'renew '.length + 64 + 1
const answers = { asked: 'asked\n', refused: 'refused\n' } as const
const patienceMs = 1000
const clientPatienceMs = 5000

/** What shows that somebody can read the files that are published now; of nothing, if nothing is. */
export function proofOf(bundle: Bundle | undefined): string {
  return createHash('sha256')
    .update('calico-vault-agent renew\n')
    .update(bundle?.text.key.reveal() ?? '')
    .digest('hex')
}

/**
 * Serves one connection to the socket of the lock; most only ask whether somebody is here, and go.
 * @param proof of what is published now; undefined: it cannot be read
 */
export function answerRenewal(socket: Socket, proof: () => string | undefined, asked: () => void): void {
  let text = ''
  socket.unref()
  socket.on('error', () => {})
  socket.setTimeout(patienceMs, () => socket.destroy())
  socket.setEncoding('latin1')
  socket.on('data', (part: string) => {
    text += part
    if (text.length < requestBytes && !text.includes('\n')) return
    socket.removeAllListeners('data')
    const [, shown] = request.exec(text.trimEnd()) ?? []
    const wanted = shown === undefined ? undefined : proof()
    const isTrue =
      shown !== undefined && wanted !== undefined && timingSafeEqual(Buffer.from(shown), Buffer.from(wanted))
    socket.end(answers[isTrue ? 'asked' : 'refused'])
    if (isTrue) asked()
  })
}

/** Asks the agent that has the directory. */
export function askForRenewal(directory: string, proof: string): Promise<RenewalAnswer> {
  // By its descriptor: the address of a socket may have only 107 bytes.
  const descriptor = fs.openSync(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
  return new Promise<RenewalAnswer>((resolve, reject) => {
    const socket = connect(`/proc/self/fd/${descriptor}/${lockName}`)
    let text = ''
    socket.setEncoding('latin1')
    socket.setTimeout(clientPatienceMs, () => socket.destroy())
    socket.once('connect', () => socket.write(`renew ${proof}\n`))
    socket.on('data', (part: string) => (text += part))
    socket.once('error', (error) => {
      const code = systemCode(error)
      if (code === 'ENOENT' || code === 'ECONNREFUSED') resolve('nobody')
      else if (code === 'EPIPE' || code === 'ECONNRESET') resolve('unanswered')
      else reject(error)
    })
    socket.once('close', () =>
      resolve(text === answers.asked ? 'asked' : text === answers.refused ? 'refused' : 'unanswered'),
    )
  }).finally(() => fs.closeSync(descriptor))
}
