/** Owns reading where certificates come from: Vault's PKI, or somewhere they are put after they were made elsewhere. */
import {
  knowsNodeUid,
  type NamingContext,
  refuseBadTemplate,
  renderTemplate,
  templateProblem,
  usesNodeUid,
} from './naming.ts'
import { type EnvironmentReader, quote, refusedPathProblem } from './reader.ts'
import { plainPath, refuseSharedDirectory, type TargetPath } from './target.ts'

/** What the parts of a bundle are called in the secret or directory; no `ca`: AGENT_ETCD_CA_FILE is the CA set. */
export interface Fields {
  readonly certificate: string
  readonly key: string
  readonly ca: string | undefined
}

/** Certificates that are made elsewhere. */
interface Delivered {
  readonly fields: Fields
  readonly pollMs: number
}

/** Paths and directories are by component; `{node_uid}` still stands in them if the template uses it. */
export type SourceConfig =
  | { readonly kind: 'pki' }
  | (Delivered & {
      readonly kind: 'kv'
      readonly mount: string
      /** Version of the engine. */
      readonly version: 1 | 2
      readonly paths: Readonly<Record<string, string>>
    })
  | (Delivered & { readonly kind: 'file'; readonly directories: Readonly<Record<string, string>> })

interface SourceContext extends NamingContext {
  readonly targets: readonly TargetPath[]
}

export function readSource(
  reader: EnvironmentReader,
  kind: SourceConfig['kind'],
  context: SourceContext,
): SourceConfig {
  if (kind === 'pki') return { kind }
  const common = { fields: readFields(reader), pollMs: reader.durationMs('AGENT_SOURCE_POLL') }
  if (kind === 'file') return { kind, ...common, directories: readDirectories(reader, context) }
  const mount = reader.mount('AGENT_KV_MOUNT')
  const version = reader.choice('AGENT_KV_VERSION') === '1' ? 1 : 2
  return { kind, ...common, mount, version, paths: readPaths(reader, context) }
}

const partNames = ['certificate', 'key', 'ca'] as const

function readFields(reader: EnvironmentReader): Fields {
  const names: Record<(typeof partNames)[number], string> = {
    certificate: 'etcd-cert',
    key: 'etcd-key',
    ca: 'etcd-ca',
  }
  for (const pair of (reader.optional('AGENT_SOURCE_FIELDS') ?? '').split(',').filter((each) => each.trim() !== '')) {
    const [part = '', name = '', ...rest] = pair.split('=').map((each) => each.trim())
    const known = partNames.find((each) => each === part)
    // It becomes the name of a file.
    const isName = /^[\w.-]+$/.test(name) && name !== '.' && name !== '..'
    if (known === undefined || rest.length > 0 || !(isName || (known === 'ca' && name === ''))) {
      reader.problem(
        'AGENT_SOURCE_FIELDS',
        `has ${quote(pair.trim())}; it must be like certificate=tls.crt,key=tls.key,ca=ca.crt`,
      )
    } else {
      names[known] = name
    }
  }
  if (new Set(Object.values(names)).size < partNames.length) {
    reader.problem('AGENT_SOURCE_FIELDS', 'gives two parts the same name')
  }
  if (names.ca === '' && !reader.isSet('AGENT_ETCD_CA_FILE')) {
    reader.problem('AGENT_SOURCE_FIELDS', 'has no ca: name the file with the CA certificates in AGENT_ETCD_CA_FILE')
  }
  return { ...names, ca: names.ca || undefined }
}

function readPaths(reader: EnvironmentReader, context: SourceContext): Readonly<Record<string, string>> {
  const template = reader.text('AGENT_KV_PATH')
  const paths = renderEach(reader, 'AGENT_KV_PATH', context)
  // What is put into a template has been checked, so that the template alone decides.
  const anyPath = Object.values(paths)[0]?.replaceAll('{node_uid}', 'x') ?? ''
  const problem = refusedPathProblem(anyPath, 'calico/{node}/{component}')
  if (problem !== undefined && templateProblem(template) === undefined) reader.problem('AGENT_KV_PATH', problem)
  return paths
}

function readDirectories(reader: EnvironmentReader, context: SourceContext): Readonly<Record<string, string>> {
  if (!reader.isSet('AGENT_SOURCE_DIR')) {
    reader.problem('AGENT_SOURCE_DIR', 'is required with AGENT_SOURCE=file: the directory that holds the certificate')
    return {}
  }
  reader.absolutePath('AGENT_SOURCE_DIR')
  const directories = renderEach(reader, 'AGENT_SOURCE_DIR', context)
  refuseSharedDirectory(reader, 'AGENT_SOURCE_DIR', Object.values(directories), context.targets)
  return Object.fromEntries(Object.entries(directories).map(([component, path]) => [component, plainPath(path)]))
}

/** The template for each component, complete but for `{node_uid}`. */
function renderEach(
  reader: EnvironmentReader,
  name: 'AGENT_KV_PATH' | 'AGENT_SOURCE_DIR',
  { targets, node, cluster, method }: SourceContext,
): Readonly<Record<string, string>> {
  const template = reader.text(name)
  refuseBadTemplate(reader, name, template)
  if (usesNodeUid(template) && !knowsNodeUid(method)) {
    reader.problem(name, 'uses {node_uid}, which only a service-account token has')
  }
  const rendered = Object.fromEntries(
    targets.map(({ component }) => [component, renderTemplate(template, { component, node, cluster })]),
  )
  const places = Object.values(rendered)
  if (new Set(places).size < places.length) {
    reader.problem(name, 'gives two targets the same place; use {component} in it')
  }
  return rendered
}
