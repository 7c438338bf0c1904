/** The intermediate on the real Vault: the request is handed out as often as it is wanted, and only its certificate is taken. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { createCsr } from '../../support/csr.ts'
import { realVaultSubject } from '../../support/each-vault.ts'
import { createOperator, describeSetup, jwtYaml, type Operator, planOf } from './rig.ts'

const requestPattern = /-----BEGIN CERTIFICATE REQUEST-----[^-]+-----END CERTIFICATE REQUEST-----\n$/

describeSetup(
  'an intermediate',
  (rig) => {
    beforeAll(async () => {
      const { api } = rig()
      await api.root('POST', 'sys/mounts/company', { type: 'pki', config: { max_lease_ttl: '175200h' } })
      await api.root('POST', 'company/root/generate/internal', { common_name: 'Company root', ttl: '175200h' })
    })

    /** As the company would: the intermediate, and the root above it. */
    const signed = async (csr: string): Promise<string> => {
      const { api } = rig()
      const { body } = await api.root('POST', 'company/root/sign-intermediate', {
        csr,
        common_name: 'Calico',
        ttl: '87600h',
      })
      return `${String(body.data?.['certificate'])}\n${String(body.data?.['issuing_ca'])}\n`
    }
    const yaml = (cluster: string, more: string): string =>
      jwtYaml(cluster, rig()).replace(`pki-${cluster} }`, `pki-${cluster}, ca: intermediate${more} }`)
    const requestOf = (stdout: string): string => requestPattern.exec(stdout)?.[0] ?? ''
    const name = (operator: Operator, certificate: string): void => {
      writeFileSync(join(operator.directory, 'signed.pem'), certificate)
    }

    it('from the request to the first certificate of a node', async () => {
      const operator = createOperator(rig(), yaml('inter', ''))
      const first = await operator.run('apply', '--yes')
      expect(first).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(requestPattern) as string })
      const waiting = await operator.run('plan', '--detailed-exitcode')
      expect(waiting).toMatchObject({
        code: 2,
        stdout: expect.stringContaining('In step, but for the certificate of the CA.'),
      })
      const again = await operator.run('apply', '--yes')
      expect(again.stdout).toContain('Done: 0 changes.')
      // The key is the same, so that a request that was sent already stays good.
      name(operator, await signed(requestOf(first.stdout)))
      expect(requestOf(again.stdout)).toMatch(requestPattern)
      writeFileSync(operator.file, yaml('inter', ', certificateFile: signed.pem'))
      expect(await operator.run('apply', '--yes')).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('Done: 1 change.'),
      })
      expect(await planOf(operator)).toMatchObject({ inStep: true, notes: [] })
      const { api, accounts } = rig()
      const { body } = await api.call('POST', 'auth/jwt-inter/login', { role: 'calico-node', jwt: accounts.token() })
      const { csrPem } = await createCsr()
      const sign = { csr: csrPem, common_name: 'calico-node:node1', exclude_cn_from_sans: true }
      const answer = await api.call('POST', 'pki-inter/sign/calico-node', sign, {
        token: body.auth?.client_token ?? '',
      })
      expect(answer).toMatchObject({
        status: 200,
        body: { data: { ca_chain: [expect.anything(), expect.anything()] } },
      })
    })

    it('the certificate of another key is refused before it becomes an issuer', async () => {
      const operator = createOperator(rig(), yaml('wrong', ''))
      await operator.run('apply', '--yes')
      const { csrPem } = await createCsr()
      name(operator, await signed(csrPem))
      writeFileSync(operator.file, yaml('wrong', ', certificateFile: signed.pem'))
      expect(await operator.run('apply', '--yes')).toMatchObject({
        code: 69,
        stderr: expect.stringContaining('no certificate in signed.pem belongs to the key of pki-wrong/') as string,
      })
      const { status } = await rig().api.call('GET', 'pki-wrong/issuers?list=true')
      expect(status).toBe(404)
    })

    it('a certificate before there is a key is refused by the plan', async () => {
      const operator = createOperator(rig(), yaml('early', ', certificateFile: signed.pem'))
      name(operator, rig().vault.caPem)
      const { refusals } = await planOf(operator)
      expect(refusals).toEqual([expect.stringContaining('pki-early/ has no key that signed.pem could belong to')])
    })
  },
  [realVaultSubject],
)
