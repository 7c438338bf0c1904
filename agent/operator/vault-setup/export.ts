/** Owns the forms in which a setup leaves the program for review and for other tools. None of them needs Vault or the files. */
import { defaultCommonName } from '../../config/naming.ts'
import type { VariableName } from '../../config/variables.ts'
import { policyText, resourcesOf } from './resources.ts'
import { neededRights, rightsPolicy } from './rights.ts'
import { type ExportFormat, FileRef, loginsOf, type Setup } from './setup.ts'
import { shellScript } from './shell.ts'
import { terraformText } from './terraform.ts'

const texts: Readonly<Record<ExportFormat, (setup: Setup, version: string) => string>> = {
  shell: shellScript,
  terraform: terraformText,
  hcl: (setup) => setup.components.map(({ name }) => policyText(setup, name)).join('\n'),
  json: requestsJson,
  env: agentVariables,
  operator: operatorPolicy,
}

export function exportSetup(setup: Setup, format: ExportFormat, version: string): string {
  return texts[format](setup, version)
}

/** What is written to each path; `<accessor>` is the auth mount's, `@name` the content of a file. */
function requestsJson(setup: Setup): string {
  const requests = resourcesOf(setup).map(({ path, fields }) => ({ path, body: fields }))
  const replacer = (_: string, value: unknown): unknown => (value instanceof FileRef ? `@${value.name}` : value)
  return `${JSON.stringify(requests, replacer, 2)}\n`
}

/** For each login, the variables of the agent that differ from its defaults. The address of Vault must be added. */
function agentVariables(setup: Setup): string {
  const { auth, pki, cluster } = setup
  const sections = [...loginsOf(setup)].map(([component, served]) => {
    const { name, perNode, ttlSeconds } = component
    const others = served.filter((each) => each.name !== name).map((each) => each.name)
    const variables: readonly [VariableName, value: string, usual?: string][] = [
      ['AGENT_COMPONENT', name],
      ['AGENT_AUTH_METHOD', auth.method, 'jwt'],
      ['AGENT_AUTH_MOUNT', auth.mount, auth.method],
      ['AGENT_PKI_MOUNT', pki.mount, 'pki'],
      ['AGENT_COMMON_NAME', perNode ? '{component}:{node}' : '{component}', defaultCommonName(name)],
      ['AGENT_CLUSTER', cluster],
      ['AGENT_TTL', `${ttlSeconds}s`, `${24 * 3600}s`],
      ['AGENT_KEY_TYPE', pki.keyType, 'ec-p256'],
    ]
    const lines = variables.filter(([, value, usual]) => value !== usual).map(([each, value]) => `${each}=${value}\n`)
    const more =
      others.length === 0 ? '' : `; AGENT_TARGETS, instead of AGENT_COMPONENT, may also name ${others.join(', ')}`
    return `# ${name}${more}\n${lines.join('')}`
  })
  return sections.join('\n')
}

function operatorPolicy(setup: Setup): string {
  return `# What the token of setup-vault apply needs for the cluster ${setup.cluster}, and no more.\n${rightsPolicy(neededRights(setup))}`
}
