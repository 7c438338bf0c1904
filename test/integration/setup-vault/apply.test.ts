/** Plan, apply and plan again: nothing is left to do, whatever was there before, and however often or in parallel it is done. */
import { X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runCommand, runProgram } from '../../support/command.ts'
import { createOperator, describeSetup, jwtYaml, planOf, type Rig } from './rig.ts'

const ended = (code: number, stdout = '') => ({ code, stderr: '', stdout: expect.stringContaining(stdout) as string })

/** What each method needs besides its name. */
const methods: Readonly<Record<string, (rig: Rig) => string>> = {
  jwt: ({ accounts }) => `kubernetes: { issuer: "${accounts.issuer}", publicKeyFiles: [sa.pub] }`,
  kubernetes: () => 'kubernetes: { url: "https://127.0.0.1:6443", caFile: ca.pem, reviewerTokenFile: reviewer }',
  approle: () => '',
}

describeSetup('setup-vault apply', (rig) => {
  it.each(Object.keys(methods))(
    'with the method %s: from nothing to in step, and a second time nothing',
    async (method) => {
      const { vault, accounts } = rig()
      const nodes = method === 'approle' ? ', nodes: [node1, node2]' : ''
      const operator = createOperator(
        rig(),
        `cluster: ${method}\nauth: { method: ${method}, mount: auth-${method}${nodes} }\npki: { mount: pki-${method} }\n${methods[method]?.(rig())}\n`,
      )
      writeFileSync(`${operator.directory}/ca.pem`, vault.caPem)
      writeFileSync(`${operator.directory}/reviewer`, accounts.token())
      expect(await operator.run('plan', '--detailed-exitcode')).toEqual(ended(2, '+ secrets engine'))
      expect(await operator.run('apply', '--yes')).toEqual(ended(0, 'Done: '))
      expect(await operator.run('plan')).toEqual(ended(0, 'In step: nothing to do.'))
      expect(await operator.run('apply', '--yes')).toEqual(ended(0, 'Done: 0 changes.'))
    },
  )

  it('prints the line that fetches the PKI CA, which is not the one that Vault is verified with', async () => {
    const operator = createOperator(rig(), jwtYaml('hint', rig()))
    const { stdout } = await operator.run('apply', '--yes')
    const [, command = ''] = /PKI CA .*To fetch it:\n {2}(curl .*)$/m.exec(stdout) ?? []
    const fetched = await runProgram('sh', ['-c', command], { cwd: operator.directory })
    expect(fetched).toEqual({ code: 0, stdout: '', stderr: '' })
    const ca = new X509Certificate(readFileSync(join(operator.directory, 'pki-ca.pem')))
    expect(ca.subject).toBe('CN=Calico etcd clients of hint')
    expect(ca.verify(ca.publicKey)).toBe(true)
    expect(rig().vault.caPem).not.toContain(ca.toString())
  })

  it('with what is set for bao, and the token of a login', async () => {
    const { env, file, directory } = createOperator(rig(), jwtYaml('tools', rig()))
    writeFileSync(join(directory, '.vault-token'), `${env['VAULT_TOKEN']}\n`)
    const tools = { BAO_ADDR: env['VAULT_ADDR'], BAO_CACERT: env['VAULT_CACERT'], HOME: directory }
    expect(await runCommand(['setup-vault', 'plan', '--file', file], { env: tools })).toEqual(ended(0, '+ auth method'))
    const wrong = { ...tools, BAO_TOKEN: 'hvs.wrong' }
    expect((await runCommand(['setup-vault', 'plan', '--file', file], { env: wrong })).code).toBe(69)
  })

  it('from the sources as from the bundle that is shipped', async () => {
    const operator = createOperator(rig(), jwtYaml('bundle', rig()))
    expect(await operator.runWith({ sources: true }, 'apply', '--yes')).toEqual(ended(0, 'Done: '))
    expect(await operator.runWith({ sources: true }, 'plan')).toEqual(ended(0, 'In step: nothing to do.'))
  })

  it('what somebody has changed is shown field by field, and put right', async () => {
    const { api } = rig()
    const operator = createOperator(rig(), jwtYaml('drift', rig()))
    await operator.run('apply', '--yes')
    const role = 'pki-drift/roles/calico-node'
    const { body } = await api.root('GET', role)
    await api.root('POST', role, { ...body.data, allow_any_name: true, max_ttl: '72h' })
    await api.root('PUT', 'sys/policies/acl/calico-vault-agent-drift-calico-cni', {
      policy: '# calico-vault-agent setup-vault: cluster drift\npath "*" {\n  capabilities = ["sudo"]\n}\n',
    })
    const plan = await planOf(operator)
    expect(
      plan.changes.map(({ path, details }) => ({ path, details: details.filter((each) => !each.startsWith('+')) })),
    ).toEqual([
      {
        path: 'sys/policies/acl/calico-vault-agent-drift-calico-cni',
        details: ['- path "*" {', '-   capabilities = ["sudo"]'],
      },
      { path: role, details: ['~ allow_any_name: true becomes false', '~ max_ttl: 259200 becomes 86400'] },
    ])
    expect(await operator.run('apply', '--yes')).toEqual(ended(0, 'Done: 2 changes.'))
    expect(await planOf(operator)).toMatchObject({ inStep: true })
  })

  it('two at the same time, several times: both end well, with one root', async () => {
    const { api } = rig()
    for (const cluster of ['twice-1', 'twice-2', 'twice-3']) {
      const operators = [createOperator(rig(), jwtYaml(cluster, rig())), createOperator(rig(), jwtYaml(cluster, rig()))]
      const ends = await Promise.all(operators.map((operator) => operator.run('apply', '--yes')))
      expect(ends.map(({ code, stderr }) => ({ code, stderr }))).toEqual([
        { code: 0, stderr: '' },
        { code: 0, stderr: '' },
      ])
      const [operator] = operators
      if (operator !== undefined) expect(await planOf(operator)).toMatchObject({ inStep: true })
      expect((await api.root('GET', `pki-${cluster}/issuers?list=true`)).body.data?.['keys']).toHaveLength(1)
    }
  })

  it.each([
    ['the auth mount', '(sys/auth/'],
    ['the PKI mount', '(sys/mounts/'],
    ['the root', '/root/generate/internal)'],
    ['a PKI role', '/roles/calico-node)'],
    ['the configuration of the logins', '/config)'],
    ['a login role', '/role/calico-node)'],
  ])('killed after %s, the next one completes it', async (what, done) => {
    const operator = createOperator(rig(), jwtYaml(what.replaceAll(' ', '-').toLowerCase(), rig()))
    // The path in parentheses stands in the lines of what was done, and not in the plan above them.
    await operator.runWith({ killAt: done }, 'apply', '--yes')
    expect(await operator.run('apply', '--yes')).toEqual(ended(0, 'Done: '))
    expect(await planOf(operator)).toMatchObject({ inStep: true })
  })

  it('an existing PKI mount is used as it is: only the roles of our names, and never those of somebody else', async () => {
    const { api } = rig()
    await api.root('POST', 'sys/mounts/company', { type: 'pki', description: 'of the company' })
    await api.root('POST', 'company/root/generate/internal', { common_name: 'Company' })
    await api.root('POST', 'company/roles/calicoctl', { allowed_domains: ['example.org'] })
    const yaml = jwtYaml('guest', rig()).replace('pki-guest', 'company, ca: existing')
    const operator = createOperator(rig(), yaml)
    const { refusals } = await planOf(operator)
    expect(refusals).toEqual([
      expect.stringMatching(/^company\/roles\/calicoctl was not made by setup-vault and differs in /),
    ])
    expect(await operator.run('apply', '--yes')).toMatchObject({
      code: 69,
      stderr: expect.stringContaining('(setup-conflict)'),
    })
    expect(
      (
        await api.call('GET', 'sys/policies/acl/calico-vault-agent-guest-calico-node', undefined, {
          token: rig().vault.rootToken,
        })
      ).status,
    ).toBe(404)
    expect(await operator.run('apply', '--yes', '--adopt')).toEqual(ended(0, 'Done: '))
    expect(await planOf(operator)).toMatchObject({ inStep: true })
    // Now it is ours, by the policy: what is changed is put right without --adopt.
    await api.root('POST', 'company/roles/calicoctl', { allow_any_name: true })
    expect(await operator.run('apply', '--yes')).toEqual(ended(0, 'Done: 1 change.'))
    expect((await api.root('GET', 'sys/mounts')).body.data?.['company/']).toMatchObject({
      description: 'of the company',
    })
  })

  it('a mount that somebody else has made is refused before any change, and taken over with --adopt', async () => {
    const { api } = rig()
    await api.root('POST', 'sys/auth/jwt-foreign', { type: 'jwt', description: 'for people' })
    await api.root('POST', 'sys/mounts/pki-foreign', { type: 'pki' })
    await api.root('POST', 'pki-foreign/root/generate/internal', { common_name: 'Theirs' })
    const operator = createOperator(rig(), jwtYaml('foreign', rig()))
    expect((await planOf(operator)).refusals).toEqual([
      'auth/jwt-foreign/ was not made by setup-vault (it says of itself "for people"); name another auth.mount, or take it over with --adopt',
      'pki-foreign/ was not made by setup-vault (it has no description); name another pki.mount, say ca: existing to use it as it is, or take it over with --adopt',
    ])
    const refused = await operator.run('apply', '--yes')
    expect(refused).toMatchObject({ code: 69, stdout: expect.stringContaining('Refused: auth/jwt-foreign/') })
    expect((await api.root('GET', 'sys/auth')).body.data?.['jwt-foreign/']).toMatchObject({ description: 'for people' })
    expect(await operator.run('apply', '--yes', '--adopt')).toEqual(
      ended(0, 'becomes calico-vault-agent setup-vault: cluster foreign'),
    )
    expect(await planOf(operator)).toMatchObject({ inStep: true })
    expect((await api.root('GET', 'pki-foreign/issuers?list=true')).body.data?.['keys']).toHaveLength(1)
  })

  it('mounts of another cluster are never taken over', async () => {
    await createOperator(rig(), jwtYaml('first', rig())).run('apply', '--yes')
    const second = createOperator(rig(), jwtYaml('first', rig()).replace('cluster: first', 'cluster: second'))
    const { refusals } = await planOf(second, '--adopt')
    expect(refusals).toEqual(
      expect.arrayContaining([
        'auth/jwt-first/ belongs to the cluster first; every cluster needs mounts of its own',
        'pki-first/ belongs to the cluster first; every cluster needs mounts of its own',
      ]),
    )
    const guest = createOperator(rig(), jwtYaml('third', rig()).replace('pki-third', 'pki-first, ca: existing'))
    expect((await planOf(guest, '--adopt')).refusals).toEqual([
      'pki-first/ belongs to the cluster first; every cluster needs mounts of its own',
    ])
  })

  it('login roles that the file does not name are told: they could take the alias of a node', async () => {
    const { api } = rig()
    const operator = createOperator(rig(), jwtYaml('roles', rig()))
    await operator.run('apply', '--yes')
    await api.root('POST', 'auth/jwt-roles/role/backdoor', {
      role_type: 'jwt',
      user_claim: 'sub',
      bound_audiences: ['x'],
    })
    const { inStep, notes } = await planOf(operator)
    expect(inStep).toBe(true)
    expect(notes).toEqual([expect.stringContaining('also has the login roles backdoor, which this file does not name')])
  })

  it('the token of the reviewer is written again when asked for, and never shown', async () => {
    const { vault, accounts } = rig()
    const operator = createOperator(
      rig(),
      'cluster: secret\nauth: { method: kubernetes, mount: k-secret }\npki: { mount: pki-secret }\nkubernetes: { url: "https://127.0.0.1:6443", caFile: ca.pem, reviewerTokenFile: reviewer }\n',
    )
    const token = accounts.token()
    writeFileSync(`${operator.directory}/ca.pem`, vault.caPem)
    writeFileSync(`${operator.directory}/reviewer`, token)
    const first = await operator.run('apply', '--yes')
    expect(first.stdout).toContain('token_reviewer_jwt: (not shown)')
    const second = await operator.run('apply', '--yes')
    expect(second).toEqual(
      ended(0, 'Vault does not show token_reviewer_jwt of auth/k-secret/config; --write-secrets writes it again'),
    )
    const again = await operator.run('apply', '--yes', '--write-secrets')
    expect(again).toEqual(ended(0, 'Done: 1 change.'))
    for (const { stdout } of [first, second, again]) expect(stdout).not.toContain(token)
  })
})
