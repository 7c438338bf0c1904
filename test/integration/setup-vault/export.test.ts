/** What is exported comes to the same as apply: the script run for real, the rest checked by the programs that read it. */
import { spawnSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startAgent } from '../../support/agent-in-process.ts'
import { runCommand, runProgram } from '../../support/command.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { readPublished } from '../agent/published.ts'
import { createOperator, describeSetup, jwtYaml, type Operator, planOf, type Rig } from './rig.ts'

const hasTerraform = spawnSync('terraform', ['version']).status === 0

/** Setups that between them use every part of the file. */
const setups: Readonly<Record<string, string>> = {
  'jwt with the keys of the API server, a root': `cluster: prod
kubernetes: { url: "https://10.0.0.1:6443", caFile: ca.crt, issuer: "https://kubernetes.default.svc" }
`,
  'kubernetes, an intermediate whose certificate is there': `cluster: prod
auth: { method: kubernetes, mount: team/k8s }
kubernetes: { url: "https://10.0.0.1:6443", caFile: /etc/ca.crt, reviewerTokenFile: "it's secret" }
pki: { mount: team/pki, ca: intermediate, certificateFile: signed.pem, keyType: rsa-2048, commonName: 'a $name "b"' }
`,
  'approle, an existing mount': `cluster: prod
auth: { method: approle, nodes: [node1, node2.example.org] }
pki: { mount: company, ca: existing, ttl: 1h }
naming: node
components:
  calico-node: {}
  my.tool: { scope: cluster, ttl: 10m }
`,
}

describe('export without Vault', () => {
  it.each(Object.entries(setups))('%s', async (_, yaml) => {
    const directory = tempDir()
    const file = join(directory, 'setup.yaml')
    writeFileSync(file, yaml)
    for (const format of ['shell', 'terraform', 'hcl', 'json', 'env', 'operator']) {
      const { code, stdout, stderr } = await runCommand(
        ['setup-vault', 'export', '--file', file, '--format', format],
        {},
      )
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      // What stands for the accessor until it is known.
      expect(format === 'json' ? '' : stdout).not.toContain('<accessor>')
      if (format === 'shell')
        expect(spawnSync('sh', ['-n'], { input: stdout, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
    }
  })

  it.skipIf(!hasTerraform)(
    `the Terraform is formatted as Terraform has it${hasTerraform ? '' : ' (left out: terraform is not installed)'}`,
    async () => {
      const directory = tempDir()
      for (const [title, yaml] of Object.entries(setups)) {
        writeFileSync(join(directory, 'setup.yaml'), yaml)
        const args = ['setup-vault', 'export', '--file', join(directory, 'setup.yaml'), '--format', 'terraform']
        writeFileSync(join(directory, 'main.tf'), (await runCommand(args, {})).stdout)
        const checked = spawnSync('terraform', ['fmt', '-check', '-diff', directory], { encoding: 'utf8' })
        expect({ title, status: checked.status, stdout: checked.stdout }).toEqual({ title, status: 0, stdout: '' })
      }
    },
  )
})

describeSetup('export', (rig) => {
  it('the script, run twice, leaves what apply would leave: plan is in step', async () => {
    const operator = createOperator(rig(), jwtYaml('script', rig()))
    for (const run of [1, 2]) {
      const { code, stderr } = await runScript(rig(), operator)
      expect({ run, code, stderr }).toEqual({ run, code: 0, stderr: '' })
    }
    expect(await planOf(operator)).toMatchObject({ inStep: true, changes: [], refusals: [] })
  })

  it('the script for machines, too', async () => {
    const yaml =
      'cluster: machines\nauth: { method: approle, mount: machines, nodes: [node1, node2] }\npki: { mount: pki-machines }\n'
    const operator = createOperator(rig(), yaml)
    expect(await runScript(rig(), operator)).toMatchObject({ code: 0, stderr: '' })
    expect(await planOf(operator)).toMatchObject({ inStep: true })
  })

  it('the script stops at a mount that somebody else has made', async () => {
    await rig().api.root('POST', 'sys/auth/jwt-theirs', { type: 'jwt', description: 'theirs' })
    const operator = createOperator(rig(), jwtYaml('theirs', rig()))
    expect(await runScript(rig(), operator)).toMatchObject({
      code: 1,
      stderr: 'jwt-theirs/ was not made by setup-vault: theirs\n',
    })
  })

  it('with the exported variables, an agent gets its certificate', async () => {
    const { vault, accounts } = rig()
    const operator = createOperator(rig(), jwtYaml('env', rig()))
    await operator.run('apply', '--yes')
    const sections = (await operator.run('export', '--format', 'env')).stdout.trim().split('\n\n')
    const names: (string | undefined)[] = []
    for (const section of sections) {
      const lines = section.split('\n').filter((line) => !line.startsWith('#'))
      const variables = Object.fromEntries(lines.map((line) => line.split('=', 2) as [string, string]))
      const directory = tempDir()
      const component = variables['AGENT_COMPONENT'] ?? ''
      const tokenFile = join(tempDir(), 'token')
      writeFileSync(tokenFile, accounts.token({ serviceAccount: component, pod: `${component}-x` }))
      const agent = await startAgent({
        ...variables,
        VAULT_ADDR: vault.address,
        VAULT_CACERT: vault.caFile,
        NODE_NAME: 'node1',
        AGENT_AUTH_TOKEN_FILE: tokenFile,
        AGENT_DIR: directory,
      })
      await agent.nextEvent('published')
      names.push(readPublished(directory).commonName)
    }
    expect(names).toEqual(['calico-node:node1', 'calico-kube-controllers', 'calicoctl'])
  })

  it('the policy for the operator is enough for plan and apply, and what is missing is named', async () => {
    const { api } = rig()
    const operator = createOperator(rig(), jwtYaml('rights', rig()))
    const { stdout: policy } = await operator.run('export', '--format', 'operator')
    await api.root('PUT', 'sys/policies/acl/operator', { policy })
    const { body } = await api.root('POST', 'auth/token/create', { policies: ['operator'] })
    const env = { VAULT_TOKEN: String(body.auth?.client_token) }
    expect(await operator.runWith({ env }, 'apply', '--yes')).toMatchObject({ code: 0, stderr: '' })
    expect(await operator.runWith({ env }, 'plan')).toMatchObject({ code: 0, stderr: '' })
    // One right less.
    const without = policy.replace(/path "sys\/policies\/acl\/calico-vault-agent-rights-calicoctl" \{[^}]*\}/, '')
    await api.root('PUT', 'sys/policies/acl/operator', { policy: without })
    const { code, stderr } = await operator.runWith({ env }, 'plan')
    expect(code).toBe(69)
    expect(stderr).toContain('the token may not set Vault up (setup-denied)')
    expect(stderr.split('\n').filter((line) => line.includes('it lacks'))).toEqual([
      '  it lacks create, read, update on sys/policies/acl/calico-vault-agent-rights-calicoctl',
    ])
  })
})

/** By the CLI of the stand-in, whether or not there is a real one: the test must not depend on its version. */
async function runScript({ vault }: Rig, operator: Operator) {
  const bin = tempDir()
  const cli = join(import.meta.dirname, '../../support/vault-cli.ts')
  writeFileSync(join(bin, 'vault'), `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n`)
  chmodSync(join(bin, 'vault'), 0o755)
  const { stdout: script } = await operator.run('export')
  return await runProgram('sh', ['-s'], {
    input: script,
    cwd: operator.directory,
    env: {
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
      VAULT_ADDR: vault.address,
      VAULT_CACERT: vault.caFile,
      VAULT_TOKEN: vault.rootToken,
    },
  })
}
