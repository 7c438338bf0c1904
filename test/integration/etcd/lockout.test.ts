/** `--enable-auth` where it would lock somebody out: refused, or taken back, and never left half done. */

import { createHmac } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type BootstrapOptions,
  enableAuth,
  finishBootstrap,
  wayBackUser,
} from '../../../agent/operator/etcd/bootstrap.ts'
import { createCa } from '../../support/certificates.ts'
import { freePort, spawnServer } from '../../support/child-server.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import { callEtcd, type EtcdIdentity, etcdPut } from '../../support/etcd-grpc.ts'
import { killedAtCall } from '../../support/etcd-model.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { clientOf, etcdVersions, type Operator, operatorFiles, startMembers, titleOf } from './rig.ts'

const enable = ['apply', '--enable-auth', '--yes', '--components', 'calicoctl']

async function started(version: (typeof etcdVersions)[number], operatorName?: string) {
  const members = await startMembers(version)
  const [etcd] = members
  if (etcd === undefined) throw new Error('no member')
  const operator = operatorFiles(await etcd.client(operatorName))
  onTestFinished(async () => {
    operator.remove()
    await etcd.stop()
  })
  return { etcd, operator }
}

for (const version of etcdVersions) {
  describe.skipIf(version.missing !== undefined)(`provision on ${titleOf(version)}`, () => {
    it('a certificate without a common name', async () => {
      const { etcd, operator } = await started(version)
      const { code, stderr } = await operator.provision(enable)
      expect(code).toBe(69)
      expect(stderr).toContain("the operator's certificate has no common name")
      expect(await isOn(await etcd.client('x'))).toBe(false)
    })

    it('Kubernetes on the same etcd', async () => {
      const { etcd, operator } = await started(version, 'admin')
      await etcdPut(await etcd.client('x'), '/registry/pods/a', '{}')
      const refused = await operator.provision(enable)
      expect(refused.code).toBe(69)
      expect(refused.stderr).toContain('kube-apiserver would lose its etcd')
      expect(await isOn(await etcd.client('x'))).toBe(false)
      const args = [...enable.slice(0, -1), 'calicoctl,kube-apiserver']
      expect((await operator.provision(args)).code).toBe(0)
      expect(await etcdPut(await etcd.client('kube-apiserver'), '/registry/pods/a', '{}')).toEqual({ ok: true })
      expect(await isOn(await etcd.client('admin'))).toBe(true)
    })

    it('a member that cannot be asked', async () => {
      const { etcd, operator } = await started(version, 'admin')
      const endpoints = `${etcd.endpoint},https://127.0.0.1:${await freePort()}`
      const { code, stderr } = await operator.provision(enable, { env: { ETCD_ENDPOINTS: endpoints } })
      expect(code).toBe(69)
      expect(stderr).toContain('every member must be up for this')
      expect(await isOn(await etcd.client('x'))).toBe(false)
    }, 40_000)

    it('killed at every call of the switch: the next run completes it', async () => {
      const { etcd } = await started(version, 'admin')
      const identity = await etcd.client('admin')
      const api = clientOf(identity)
      onTestFinished(() => api.close())
      const options = (on: typeof api): BootstrapOptions => ({
        operator: 'admin',
        members: [{ endpoint: etcd.endpoint, api: on }],
        ca: identity.ca,
        password: 'the password of this test',
        withPassword: (user) => clientOf(identity, { password: { user, password: 'the password of this test' } }),
        log: () => {},
      })
      for (let call = 1; ; call++) {
        const killed = killedAtCall(api, call, true)
        const end = await enableAuth(killed, options(killed), true).then(
          () => 'done',
          (error: Error) => error.message,
        )
        if (end === 'done') break
        if (await isOn(identity)) await finishBootstrap(api, options(api), false)
        else await enableAuth(api, options(api), true)
        expect({ call, users: (await api.users()).toSorted() }).toEqual({ call, users: ['admin', 'root'] })
        await api.disableAuth()
        for (const user of ['admin', 'root']) await api.deleteUser(user)
      }
      expect(await isOn(identity)).toBe(true)
    })

    it('what a killed run left is removed by the next', async () => {
      const { etcd, operator } = await started(version, 'admin')
      expect((await operator.provision(enable)).code).toBe(0)
      const auth = etcdAuth(await etcd.client('admin'))
      await auth.addUser(wayBackUser, 'a password')
      expect((await operator.provision(enable)).code).toBe(0)
      expect((await auth.users()).toSorted()).toEqual(['admin', 'calicoctl', 'root'])
    })
  })
}

const system = etcdVersions[1]
describe.skipIf(system?.missing !== undefined)(
  `etcd without --client-cert-auth: ${system ? titleOf(system) : ''}`,
  () => {
    it('that asks for no certificate at all', async () => {
      const { operator, identity } = await startLax([])
      const { code, stderr } = await operator.provision(enable)
      expect(code).toBe(69)
      expect(stderr).toContain('lets clients in without a certificate: start it with --client-cert-auth')
      expect(await isOn(identity)).toBe(false)
    })

    it('that asks for one and ignores its name: on, not let in, off again', async () => {
      const { operator, identity } = await startLax(['--trusted-ca-file'])
      const { code, stderr } = await operator.provision(enable)
      expect(code).toBe(69)
      expect(stderr).toContain('authentication was switched on and off again: the operator was not let in')
      expect(await isOn(identity)).toBe(false)
      expect(await etcdAuth(identity).users()).not.toContain(wayBackUser)
    })

    it('and a run that was killed while it was on: the next takes the way back', async () => {
      const { operator, identity } = await startLax(['--trusted-ca-file'])
      // As bootstrap.ts does it, up to the moment after the switch.
      const key = readFileSync(operator.env['ETCD_KEY_FILE'] ?? '', 'utf8')
      const auth = etcdAuth(identity)
      await auth.addUser('admin')
      await auth.addRole('root')
      await auth.grantRole('admin', 'root')
      await auth.addUser(
        wayBackUser,
        createHmac('sha256', key).update('calico-vault-agent: the way back').digest('hex'),
      )
      await auth.grantRole(wayBackUser, 'root')
      await auth.enable()
      await expect(auth.users()).rejects.toThrow('etcd UserList')
      const { stdout, stderr, code } = await operator.provision(enable)
      expect(stdout).toContain('had left the operator shut out: authentication is off again')
      expect(stderr).toContain('switched on and off again')
      expect(code).toBe(69)
      expect(await isOn(identity)).toBe(false)
    })
  },
)

/** Whether etcd has users at all: without authentication, anybody may ask. */
async function isOn(identity: EtcdIdentity): Promise<boolean> {
  const answer = await callEtcd(identity, '/etcdserverpb.Auth/Authenticate')
  return !answer.ok && !answer.message.includes('authentication is not enabled')
}

async function startLax(flags: readonly string[]): Promise<{ operator: Operator; identity: Required<EtcdIdentity> }> {
  const directory = tempDir()
  const ca = await createCa()
  const server = await ca.issue({ server: true, client: true, ipAddresses: ['127.0.0.1'] })
  const admin = await ca.issue({ commonName: 'admin' })
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }
  const caFile = file('ca.pem', ca.certificatePem)
  const [endpoint, peer] = [`https://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`]
  const child = spawnServer({
    name: 'etcd',
    path: system?.program ?? 'etcd',
    args: [
      `--data-dir=${join(directory, 'data')}`,
      `--listen-client-urls=${endpoint}`,
      `--advertise-client-urls=${endpoint}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      `--cert-file=${file('cert.pem', server.certificatePem)}`,
      `--key-file=${file('key.pem', server.privateKeyPem)}`,
      ...flags.map((flag) => `${flag}=${caFile}`),
    ],
  })
  const identity = { endpoint, ca: ca.certificatePem, cert: admin.certificatePem, key: admin.privateKeyPem }
  const operator = operatorFiles(identity)
  onTestFinished(async () => {
    operator.remove()
    await child.kill()
  })
  await child.until(async () => (await callEtcd(identity, '/etcdserverpb.Maintenance/Status')).ok || undefined, 30_000)
  return { operator, identity }
}
