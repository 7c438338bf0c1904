/**
 * Owns what is made of the code for people to read: tables between their markers in the documentation, and the default
 * configuration of Vault in manifests/vault. `npm run docs` writes it, and a test holds it against the code.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { groupVariables } from '../agent/config/variables.ts'
import { systemClock } from '../agent/core/clock.ts'
import { type Reason, runbookOf } from '../agent/core/reason.ts'
import { reasons } from '../agent/core/reason-catalog.ts'
import { version } from '../agent/core/version.ts'
import { rotationRights } from '../agent/operator/ca-rotation/vault-state.ts'
import { builtInProfiles, type Row, resources } from '../agent/operator/etcd/profile-table.ts'
import { exportSetup } from '../agent/operator/vault-setup/export.ts'
import { resourcesOf } from '../agent/operator/vault-setup/resources.ts'
import { rightsPolicy } from '../agent/operator/vault-setup/rights.ts'
import type { Setup } from '../agent/operator/vault-setup/setup.ts'
import { parseSetup } from '../agent/operator/vault-setup/setup-file.ts'
import { caPhases } from '../agent/pki/ca-phase.ts'
import { createMetrics } from '../agent/sidecar/observe/metrics.ts'
import { createPresent } from '../agent/sidecar/observe/present.ts'
import { withheld } from '../test/support/calico-withheld.ts'
import { readAlerts } from './alert-rules.ts'

/** File and the tables in it. */
export const documents: Readonly<Record<string, readonly (keyof typeof tables)[]>> = {
  'docs/configuration.md': ['variables'],
  'docs/etcd.md': ['profiles', 'withheld'],
  'docs/metrics.md': ['metrics'],
  'docs/monitoring.md': ['alerts'],
  'docs/runbook.md': ['reasons'],
  'docs/ca-rotation.md': ['rotation-policy', 'phases'],
  'docs/vault.md': ['setup', 'policy', 'pki-role', 'login-role'],
}

const tables = {
  variables: variableTables,
  metrics: metricTable,
  alerts: alertTable,
  reasons: reasonTable,
  profiles: profileTables,
  withheld: withheldTable,
  phases: phaseTable,
  'rotation-policy': () => fenced('hcl', rightsPolicy(rotationRights('pki'))),
  setup: () => fenced('yaml', readFileSync(setupFile, 'utf8')),
  policy: () => fenced('hcl', String(resourceOf('policy')['policy'])),
  'pki-role': () => fenced('json', JSON.stringify(resourceOf('pki-role'), null, 2)),
  'login-role': () => fenced('json', JSON.stringify(resourceOf('login-role'), null, 2)),
}

const setupFile = 'manifests/vault/setup-vault.yaml'

/** Whole files by path. */
export function renderedFiles(): Readonly<Record<string, string>> {
  const setup = defaultSetup()
  return {
    'manifests/vault/setup-vault.sh': exportSetup(setup, 'shell', version),
    'manifests/vault/main.tf': exportSetup(setup, 'terraform', version),
    'manifests/vault/policies.hcl': exportSetup(setup, 'hcl', version),
    'manifests/vault/operator.hcl': exportSetup(setup, 'operator', version),
    'manifests/vault/requests.json': exportSetup(setup, 'json', version),
    'manifests/vault/agent.env': exportSetup(setup, 'env', version),
  }
}

function defaultSetup(): Setup {
  const { value, problems } = parseSetup(readFileSync(setupFile, 'utf8'))
  if (value === undefined || problems.length > 0) throw new Error(`${setupFile}: ${problems.join('; ')}`)
  return value
}

/** Of calico-node. */
function resourceOf(kind: string): Readonly<Record<string, unknown>> {
  return resourcesOf(defaultSetup()).find((each) => each.kind === kind)?.fields ?? {}
}

function fenced(language: string, text: string): string {
  return `\`\`\`${language}\n${text.trimEnd()}\n\`\`\``
}

function variableTables(): string {
  const sections = groupVariables().map(({ title, variables }) => {
    const rows = variables.map(([name, { default: value, defaultText, meaning }]) => {
      const shown = defaultText ?? (value === undefined || value === '' ? '–' : `\`${value}\``)
      return `| \`${name}\` | ${shown} | ${meaning} |`
    })
    return [`## ${title}`, '', '| variable | default | meaning |', '|---|---|---|', ...rows].join('\n')
  })
  return sections.join('\n\n')
}

/** All of an agent that also provisions; a process has those of what it does. */
function metricTable(): string {
  const provision = { usersPerNode: 0, otherUsers: 0 }
  const rows = createMetrics({ present: createPresent([], systemClock), version: '', clock: systemClock, provision })
    .families()
    .map(({ name, type, help, labelNames }) => {
      const labels = labelNames.map((label) => `\`${label}\``).join(', ')
      return `| \`${name.replace(/^calico_vault_agent_/, '')}\` | ${type} | ${labels === '' ? '–' : labels} | ${help} |`
    })
  return ['| metric | type | labels | meaning |', '|---|---|---|---|', ...rows].join('\n')
}

function alertTable(): string {
  const rows = readAlerts().map(({ alert, for: after = 'at once', labels, annotations }) => {
    const link = `[${alert}](${basename(runbookOf(alert))})`
    return `| ${link} | ${labels.severity} | ${after} | ${annotations.description} |`
  })
  return ['| alert | severity | after | what it says |', '|---|---|---|---|', ...rows].join('\n')
}

function reasonTable(): string {
  const rows = Object.entries<Reason>(reasons)
    .filter(([, { about }]) => about !== 'renewal')
    .map(([code, { about, summary, retry, advice }]) => {
      return `| [\`${code}\`](#${code}) | ${about} | ${summary} | ${retry} | ${advice} |`
    })
  return ['| code | about | what it says | retried as | what to do |', '|---|---|---|---|---|', ...rows].join('\n')
}

function phaseTable(): string {
  const rows = Object.entries(caPhases).map(([name, { summary, advice }]) => `| \`${name}\` | ${summary} | ${advice} |`)
  return ['| phase | what is so | what to do |', '|---|---|---|', ...rows].join('\n')
}

/** One table a component; `P` shortens the prefix that most keys have. */
function profileTables(): string {
  return Object.entries(builtInProfiles)
    .map(([name, { scope, about, rows }]) => {
      const where = scope === 'node' ? 'on every node' : 'once in a cluster'
      const lines = rows.map(
        (row) =>
          `| \`${shortKeys(row.keys)}\` | ${row.access === 'read' ? 'R' : 'RW'} | ${row.naming ?? 'both'} | ${versionsOf(row)} | ${neededBy(name, row)} |`,
      )
      return [
        `**${name}** (${where}): ${about}.`,
        '',
        '| keys | | naming | Calico | needed by |',
        '|---|---|---|---|---|',
        ...lines,
        '',
      ].join('\n')
    })
    .join('\n')
    .trimEnd()
}

/** The recorded situation, by its file without the version, and the reason. */
function neededBy(component: string, { trace, because, relaxed }: Row): string {
  const [program = '', situation = ''] = trace?.split(' ') ?? []
  const asks = `\`${situation}\`${program === component ? '' : ` of ${program}`}`
  const parts = [...(trace === undefined ? [] : [asks]), because, relaxed && 'not with `--strict`']
  return parts.filter((part) => part !== undefined).join('; ')
}

function withheldTable(): string {
  const lines = withheld.map(({ component, naming, keys, access, because, instead, without }) => {
    const shown = keys === undefined ? 'compaction' : `\`${shortKeys(keys)}\` ${access === 'write' ? 'W' : 'RW'}`
    const seen = without === undefined ? '' : ` (\`${without}\`)`
    return `| ${component} | ${shown} | ${naming ?? 'both'} | ${because} | ${instead}${seen} |`
  })
  return ['| who | keys | naming | why not | instead |', '|---|---|---|---|---|', ...lines].join('\n')
}

function shortKeys(keys: string): string {
  return keys.replace(resources, 'P ')
}

function versionsOf({ since, until }: Row): string {
  if (since !== undefined && until !== undefined) return `v${since} to v${until}`
  if (since !== undefined) return `from v${since}`
  return until === undefined ? 'all' : `to v${until}`
}

/** The document with its tables as they are in the code now. */
export function renderDocument(text: string, names: readonly (keyof typeof tables)[]): string {
  return names.reduce((document, name) => {
    const [begin, end] = [`<!-- ${name}: generated by npm run docs -->`, `<!-- ${name}: end -->`]
    const from = document.indexOf(begin)
    const to = document.indexOf(end)
    if (from < 0 || to < from) throw new Error(`there are no markers for the table ${name}`)
    return `${document.slice(0, from + begin.length)}\n${tables[name]()}\n${document.slice(to)}`
  }, text)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, names] of Object.entries(documents)) {
    writeFileSync(file, renderDocument(readFileSync(file, 'utf8'), names))
  }
  for (const [file, text] of Object.entries(renderedFiles())) writeFileSync(file, text)
}
