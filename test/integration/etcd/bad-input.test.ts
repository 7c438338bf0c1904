/** What is wrong with the input or with etcd: one clear message each, and nothing half done. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCa } from '../../support/certificates.ts'
import { freePort } from '../../support/child-server.ts'
import { etcdAuth } from '../../support/etcd-auth.ts'
import type { RealEtcd } from '../../support/real-etcd.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { clientOf, etcdVersions, type Operator, operatorFiles, runProvision, startMembers, titleOf } from './rig.ts'

describe('without etcd', () => {
  it('says everything that is missing at once', async () => {
    const { code, stderr } = await runProvision(['plan', '--naming', 'component'], {
      env: {
        ETCD_ENDPOINTS: 'http://a:2379,b',
        AGENT_CALICO_VERSION: 'new',
        ETCD_KEY_FILE: '/nowhere',
        AGENT_CALICO_VERSON: 'v3',
      },
    })
    expect(code).toBe(78)
    expect(stderr.split('\n').filter((line) => line.startsWith('  - '))).toEqual([
      '  - AGENT_CALICO_VERSON is not a variable of this agent; did you mean AGENT_CALICO_VERSION?',
      '  - ETCD_ENDPOINTS has "http://a:2379": without TLS etcd knows no common names; use https',
      '  - ETCD_ENDPOINTS has "b"; each is https://host:port',
      '  - ETCD_CA_CERT_FILE is required: a PEM file',
      '  - ETCD_CERT_FILE is required: a PEM file',
      expect.stringMatching(/ETCD_KEY_FILE cannot be used: ENOENT: no such file or directory, l?stat '\/nowhere'/),
      '  - AGENT_CALICO_VERSION is "new"; it must be a version of Calico such as v3.32.1, or several with commas',
    ])
  })

  it('no endpoints', async () => {
    expect((await runProvision(['plan', '--naming', 'component'], {})).stderr).toContain('ETCD_ENDPOINTS is required')
  })

  it('a key that belongs to another certificate, and one that has expired', async () => {
    const ca = await createCa()
    const [one, other] = [await ca.issue({ commonName: 'root' }), await ca.issue({ commonName: 'root' })]
    const swapped = operatorFiles({
      endpoint: 'https://127.0.0.1:1',
      ca: ca.certificatePem,
      cert: one.certificatePem,
      key: other.privateKeyPem,
    })
    expect(await swapped.provision(['plan', '--naming', 'component'])).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('ETCD_KEY_FILE is not the key of ETCD_CERT_FILE'),
    })
    swapped.remove()
    const old = await ca.issue({ commonName: 'root', notAfter: new Date(Date.now() - 60_000) })
    const expired = operatorFiles({
      endpoint: 'https://127.0.0.1:1',
      ca: ca.certificatePem,
      cert: old.certificatePem,
      key: old.privateKeyPem,
    })
    expect(await expired.provision(['plan', '--naming', 'component'])).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('ETCD_CERT_FILE has expired at'),
    })
    expired.remove()
  })

  it('a profile file with mistakes: file, line and column of each', async () => {
    const file = join(tempDir(), 'profiles.yaml')
    writeFileSync(file, 'profiles:\n  mine:\n    ranges:\n      - access: all\n        keys: /x*\n')
    const { code, stderr } = await runProvision(['export', '--profiles', file], {})
    expect(code).toBe(78)
    expect(stderr).toContain(`${file}:4:17 access must be one of read, write, readwrite`)
    expect(stderr).toContain(`${file}:5:15 keys "/x*" must end with /* (or .*, but after {node}) to mean a prefix`)
  })

  it('nodes that collide by case, are no names, or are none at all', async () => {
    const file = join(tempDir(), 'nodes')
    writeFileSync(file, 'node1 # the first\r\nNode1\n\nno/de\n')
    const naming = ['--naming', 'node', '--nodes-file']
    const { code, stderr } = await runProvision(['export', ...naming, file], {})
    expect(code).toBe(78)
    expect(stderr).toContain('Node1 and node1 differ only in case')
    expect(stderr).toContain('"no/de" is not the name of a node')
    const none = await runProvision(['export', ...naming, '-'], { input: '\n# nothing\n' })
    expect(none).toMatchObject({ code: 78, stderr: expect.stringContaining('--nodes-file: - names no node') })
    const long = await runProvision(['export', ...naming, '-'], { input: `${'n'.repeat(60)}\n` })
    expect(long.code).toBe(0)
    expect(long.stdout).toContain('has 72 bytes, more than the 64 of X.520')
  })
})

for (const version of etcdVersions) {
  describe.skipIf(version.missing !== undefined)(`provision on ${titleOf(version)}`, () => {
    let etcd: RealEtcd
    let admin: Operator

    beforeAll(async () => {
      ;[etcd] = (await startMembers(version)) as [RealEtcd]
      admin = operatorFiles(await etcd.client('root'))
      const auth = etcdAuth(await etcd.client('root'))
      await auth.addUser('reader')
      await auth.enable()
    })
    afterAll(async () => {
      admin?.remove()
      await etcd?.stop()
    })

    const as = async (name: string | undefined, change: Partial<{ ca: string; endpoint: string }> = {}) => {
      const operator = operatorFiles({ ...(await etcd.client(name)), ...change })
      try {
        return await operator.provision(['plan', '--detailed-exitcode', '--naming', 'component'])
      } finally {
        operator.remove()
      }
    }

    it.each(['reader', 'nobody', undefined])('a client without the role root: %s', async (name) => {
      const { code, stderr } = await as(name)
      expect(code).toBe(69)
      expect(stderr).toContain('etcd does not let this certificate do it (etcd-denied)')
      expect(stderr).toContain('Use the certificate of a user with the role root')
    })

    it('the wrong CA, and a client certificate of a stranger', async () => {
      const stranger = await createCa()
      const wrong = await as('root', { ca: stranger.certificatePem })
      expect(wrong.code).toBe(69)
      expect(wrong.stderr).toContain('(etcd-tls)')
      expect(wrong.stderr).toMatch(/unable to verify|self.signed|signature|issuer/)
      const issued = await stranger.issue({ commonName: 'root' })
      const { endpoint, caPem: ca } = etcd
      const operator = operatorFiles({ endpoint, ca, cert: issued.certificatePem, key: issued.privateKeyPem })
      expect(await operator.provision(['plan', '--naming', 'component'])).toMatchObject({
        code: 69,
        stderr: expect.stringContaining('(etcd-'),
      })
      operator.remove()
    })

    it('an endpoint where nobody listens, behind which another answers', async () => {
      const nowhere = `https://127.0.0.1:${await freePort()}`
      const client = clientOf({ ...(await etcd.client('root')), endpoint: nowhere }, { patienceMs: 300 })
      await expect(client.users()).rejects.toMatchObject({ code: 'etcd-unreachable' })
      client.close()
      expect((await as('root', { endpoint: `${nowhere},${etcd.endpoint}` })).code).toBe(2)
    })

    it('a user with a password, and a role with grants of somebody else: refused before any change', async () => {
      const auth = etcdAuth(await etcd.client('root'))
      await auth.addUser('calicoctl', 'secret')
      await auth.addRole('calico-vault-agent/calico-cni')
      await auth.grantPrefix('calico-vault-agent/calico-cni', 'readwrite', '/')
      const plan = await admin.provision(['plan', '--detailed-exitcode', '--naming', 'component'])
      expect(plan.code).toBe(2)
      expect(plan.stdout).toContain('Refused: the user calicoctl has a password')
      const { code, stderr } = await admin.provision(['apply', '--yes', '--naming', 'component'])
      expect(code).toBe(69)
      expect(stderr).toContain('etcd holds something that provision did not make and will not change (etcd-conflict)')
      expect(stderr).toContain('the user calicoctl has a password: whoever knows it needs no certificate')
      expect(stderr).toContain('the role calico-vault-agent/calico-cni was not made by provision and has 1 grant')
      expect(await auth.users()).not.toContain('calico-cni')
      await auth.deleteUser('calicoctl')
    })

    it('a user that was there before is taken over and never removed, and its other roles are named', async () => {
      const auth = etcdAuth(await etcd.client('root'))
      await auth.addUser('calicoctl')
      await auth.addRole('old')
      await auth.grantRole('calicoctl', 'old')
      const args = ['--yes', '--components', 'calicoctl']
      const { code, stdout } = await admin.provision(['apply', ...args])
      expect(code).toBe(0)
      expect(stdout).toContain('Note: the user calicoctl also has the role old, which provision did not give')
      expect((await auth.rolesOf('calicoctl')).toSorted()).toEqual(['calico-vault-agent/calicoctl', 'old'])
      expect(
        (await admin.provision(['apply', '--prune', '--yes', '--components', 'felix', '--naming', 'component'])).code,
      ).toBe(0)
      expect(await auth.users()).toContain('calicoctl')
    })

    it('authentication off: it says so', async () => {
      const auth = etcdAuth(await etcd.client('root'))
      await auth.disable()
      expect((await admin.provision(['plan', '--components', 'felix', '--naming', 'component'])).stdout).toContain(
        'Note: authentication is off',
      )
      await auth.enable()
    })
  })
}
