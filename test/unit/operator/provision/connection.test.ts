import { describe, expect, it } from 'vitest'
import { AgentError } from '../../../../agent/core/errors.ts'
import { Secret } from '../../../../agent/core/secret.ts'
import { createEtcdConnection } from '../../../../agent/operator/provision/connection.ts'
import type { AgentEvent } from '../../../../agent/sidecar/observe/events.ts'
import { createEtcdModel } from '../../../support/etcd-model.ts'

function rig() {
  const state = { cert: 'one', unreadable: false, refused: new Set<string>() }
  const closed: string[] = []
  const events: AgentEvent[] = []
  const connection = createEtcdConnection({
    read: () => {
      if (state.unreadable) throw new AgentError('file-invalid', 'unreadable')
      return { endpoints: [], ca: 'ca', cert: state.cert, key: new Secret(`key of ${state.cert}`), operator: 'root' }
    },
    open: ({ cert }) => ({
      ...createEtcdModel(),
      users: async () => [cert],
      authStatus: async () => {
        if (state.refused.has(cert)) throw new AgentError('etcd-tls', `${cert} is refused`)
        return { enabled: true, revision: '1' }
      },
      close: () => void closed.push(cert),
    }),
    emit: (event) => void events.push(event),
  })
  const whoami = () => connection.use(async (api) => (await api.users())[0])
  return { state, closed, events, connection, whoami }
}

describe('the connection to etcd', () => {
  it('takes a new certificate, and ends the old connection after its last call', async () => {
    const { state, closed, connection, whoami, events } = rig()
    let finish = (): void => {}
    const first = connection.use(async () => new Promise<void>((resolve) => (finish = resolve)))
    expect(await whoami()).toBe('one')
    state.cert = 'two'
    expect(await whoami()).toBe('two')
    expect(closed).toEqual([])
    finish()
    await first
    expect(closed).toEqual(['one'])
    expect(events.map((event) => 'isFirst' in event && event.isFirst)).toEqual([true, false])
  })

  it('keeps the one that works where the new one is refused or unreadable', async () => {
    const { state, closed, whoami, events } = rig()
    await whoami()
    state.cert = 'bad'
    state.refused.add('bad')
    expect(await whoami()).toBe('one')
    expect(closed).toEqual(['bad'])
    state.unreadable = true
    expect(await whoami()).toBe('one')
    const kept = events.filter((event) => event.type === 'provision-identity-refused')
    expect(kept.map(({ reason }) => reason)).toEqual(['etcd-tls', 'file-invalid'])
  })

  it('fails where there is no certificate yet', async () => {
    const { state, whoami } = rig()
    state.unreadable = true
    await expect(whoami()).rejects.toMatchObject({ code: 'file-invalid' })
    state.unreadable = false
    expect(await whoami()).toBe('one')
  })
})
