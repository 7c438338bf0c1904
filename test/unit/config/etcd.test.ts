import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseProvisionConfig, readOperator } from '../../../agent/config/etcd.ts'
import { ConfigError } from '../../../agent/core/errors.ts'
import { createCa, type TestCa } from '../../support/certificates.ts'
import { tempDir } from '../../support/temp-dir.ts'

let ca: TestCa
beforeAll(async () => {
  ca = await createCa()
})

async function goodEnvironment(commonName: string | undefined = 'admin') {
  const directory = tempDir()
  const issued = await ca.issue(commonName === '' ? {} : { commonName })
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }
  return {
    ETCD_ENDPOINTS:
      'https://10.0.0.1:2379, https://[fd00::1]:2379/,https://etcd.example.org:2379,https://10.0.0.1:2379',
    ETCD_CA_CERT_FILE: file('ca.pem', ca.certificatePem),
    ETCD_CERT_FILE: file('cert.pem', issued.certificatePem),
    ETCD_KEY_FILE: file('key.pem', issued.privateKeyPem),
  }
}

function problemsOf(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  try {
    parseProvisionConfig(env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

describe('a good environment', () => {
  it('gives endpoints once each, the user of the certificate, and a key that is never printed', async () => {
    const { etcd, versions } = parseProvisionConfig({ ...(await goodEnvironment()), AGENT_CALICO_VERSION: 'v3.32.1' })
    expect(etcd.endpoints).toEqual(['https://10.0.0.1:2379', 'https://[fd00::1]:2379', 'https://etcd.example.org:2379'])
    expect(etcd.operator).toBe('admin')
    expect(versions).toEqual([30_032])
    expect(inspect(etcd, { depth: 9, showHidden: true }) + JSON.stringify(etcd)).not.toContain('PRIVATE KEY')
  })

  it('may have a certificate without a common name, which only --enable-auth and export refuse', async () => {
    const env = await goodEnvironment('')
    expect(parseProvisionConfig(env).etcd.operator).toBe('')
    expect(() => readOperator(env)).toThrow('ETCD_CERT_FILE has no common name')
    expect(readOperator(await goodEnvironment())).toBe('admin')
  })
})

describe('a bad one', () => {
  it.each([
    'https://a',
    'https://a:0',
    'https://a:70000',
    'https://a:1/path',
    'https://u@a:1',
    'a:2379',
    'ftp://a:1',
    '',
  ])('endpoint %j', async (endpoint) => {
    const [problem, ...more] = problemsOf({ ...(await goodEnvironment()), ETCD_ENDPOINTS: endpoint })
    expect(problem).toMatch(/^ETCD_ENDPOINTS /)
    expect(more).toEqual([])
  })

  it.each(['ETCD_CA_CERT_FILE', 'ETCD_CERT_FILE', 'ETCD_KEY_FILE'] as const)(
    '%s that is missing, empty, a directory, or no PEM',
    async (name) => {
      const good = await goodEnvironment()
      const directory = tempDir()
      const empty = join(directory, 'empty')
      writeFileSync(empty, '')
      mkdirSync(join(directory, 'd'))
      for (const path of ['', join(directory, 'none'), empty, join(directory, 'd'), good.ETCD_ENDPOINTS]) {
        const problems = problemsOf({ ...good, [name]: path })
        expect(problems).toHaveLength(1)
        expect(problems[0]).toMatch(new RegExp(`^${name} (is required|cannot be used: )`))
      }
    },
  )

  it('a variable of the agent that is misspelled', async () => {
    expect(problemsOf({ ...(await goodEnvironment()), AGENT_CALICO_VERSOIN: 'v3.32' })).toEqual([
      'AGENT_CALICO_VERSOIN is not a variable of this agent; did you mean AGENT_CALICO_VERSION?',
    ])
  })
})
