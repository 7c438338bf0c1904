/** Who asks for a renewal over the socket of the lock: only who can read the key, not in a loop, and nobody keeps it for himself. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { lockName } from '../../../../agent/sidecar/store/directory-lock.ts'
import { askForRenewal, createRenewalDesk, proofOf } from '../../../../agent/sidecar/store/renewal-request.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const proof = proofOf(undefined)

async function serve(handle: (socket: Socket) => void): Promise<string> {
  const directory = tempDir()
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    handle(socket)
  })
  server.listen(join(directory, lockName))
  await once(server, 'listening')
  onTestFinished(() => {
    for (const each of sockets) each.destroy()
    server.close()
  })
  return directory
}

/** The orders that came, and the moment of the monotonic clock. */
async function openDesk(patienceMs?: number) {
  const state = { nowMono: 0, orders: 0 }
  const directory = await serve(
    createRenewalDesk({
      proof: () => proof,
      asked: () => state.orders++,
      monotonic: () => state.nowMono,
      ...(patienceMs === undefined ? {} : { patienceMs }),
    }),
  )
  return { state, directory }
}

it('is answered, and refused without the proof', async () => {
  const { state, directory } = await openDesk()
  expect(await askForRenewal(directory, 'f'.repeat(64))).toBe('refused')
  expect(state.orders).toBe(0)
  expect(await askForRenewal(directory, proof)).toBe('asked')
  expect(state.orders).toBe(1)
})

it('does not order again and again: each order ends the wait after a failure', async () => {
  const { state, directory } = await openDesk()
  const answers: string[] = []
  for (let count = 0; count < 100; count++) {
    answers.push(await askForRenewal(directory, proof))
    state.nowMono += 200
  }
  expect(state.orders).toBe(2)
  expect(answers.filter((each) => each === 'too-soon')).toHaveLength(98)
})

it('lets go of whoever keeps talking', async () => {
  const { state, directory } = await openDesk(50)
  const socket = connect(join(directory, lockName))
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  // Not by `once`, which an error before it would reject.
  const closed = new Promise((resolve) => socket.once('close', resolve))
  const talk = setInterval(() => socket.write('r'), 5)
  onTestFinished(() => clearInterval(talk))
  await closed
  expect(state.orders).toBe(0)
})

it('asks nobody who answers without an end', async () => {
  const directory = await serve((socket) => {
    socket.on('error', () => {})
    const more = (): void => void socket.write(Buffer.alloc(65_536, 'a'), () => setImmediate(more))
    more()
  })
  expect(await askForRenewal(directory, proof)).toBe('unanswered')
})
