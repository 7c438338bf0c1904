/** On a terminal `apply` asks, and only "yes" is a yes. The terminal is that of script(1). */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { locateServer } from '../../servers/locate.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { type RealEtcd, startRealEtcd } from '../../support/real-etcd.ts'
import { ctrlC, ctrlD, missingTerminal, runOnTerminal } from '../../support/terminal.ts'
import { type Operator, operatorFiles } from './rig.ts'

const etcdProgram = locateServer('etcd')
const leftOut =
  missingTerminal === undefined && !('missing' in etcdProgram) ? '' : ' (left out: no etcd, or no script(1))'

describe.skipIf(leftOut !== '')(`apply on a terminal${leftOut}`, () => {
  let etcd: RealEtcd
  let operator: Operator
  beforeAll(async () => {
    etcd = await startRealEtcd()
    operator = operatorFiles(await etcd.client('admin'))
  })
  afterAll(async () => {
    operator?.remove()
    await etcd?.stop()
  })

  const apply = (answer: string) =>
    runOnTerminal(['provision', 'apply', '--components', 'calicoctl'], operator.env, answer)

  it('shows the plan in color and changes nothing without a yes', async () => {
    for (const answer of ['\n', 'y\n', 'YES\n', 'no\n', ctrlD]) {
      const text = await apply(answer)
      expect(text).toContain('\x1b[32m+\x1b[0m role calico-vault-agent/calicoctl')
      expect(text).toContain('Nothing was changed.')
      expect(text).toMatch(/exit 1$/)
    }
    expect(await etcdAuth(await etcd.client('x')).users()).toEqual([])
  })

  it('ends quietly with the status of the shell after Ctrl-C', async () => {
    const text = await apply(ctrlC)
    expect(text).toMatch(/to continue: [^]*exit 130$/)
    expect(text).not.toMatch(/bug|Nothing was|Error/)
  })

  it('does it after a yes, and asks nothing when all is in step', async () => {
    expect(await apply('yes\n')).toContain('Done: 5 changes.')
    expect(await etcdAuth(await etcd.client('x')).users()).toEqual(['calicoctl'])
    expect(await apply('no\n')).not.toContain('to continue:')
  })
})
