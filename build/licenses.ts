/** Owns dist/THIRD-PARTY-LICENSES: whose code is in which bundle, and the licenses that it comes under. */
import type { Sbom, SbomComponent } from './sbom.ts'

const rule = '='.repeat(80)

/**
 * @param packages names of packages, by bundle
 * @throws where a package comes without a text: it may not be passed on before somebody has looked
 */
export function licenseList(
  { metadata, components }: Sbom,
  packages: ReadonlyMap<string, ReadonlySet<string>>,
): string {
  const { name, version } = metadata.component
  const contents = [...packages]
    .filter(([, names]) => names.size > 0)
    .toSorted(([a], [b]) => a.localeCompare(b, 'en'))
    .map(([bundle, names]) => `  ${bundle}: ${[...names].toSorted().join(', ')}`)
  // One text may be that of many packages.
  const byText = new Map<string, string[]>()
  for (const component of components) {
    const text = licenseText(component)
    byText.set(text, [...(byText.get(text) ?? []), titleOf(component)])
  }
  const texts = [...byText].map(([text, titles]) => `${rule}\n${titles.join('\n')}\n${rule}\n\n${text}\n`)
  const head = `Third-party software in ${name} ${version}, and its licenses.\n\nIn which file it is:\n\n${contents.join('\n')}\n`
  return [head, ...texts].join('\n')
}

/** `@scope/name version (license)`, as it stands above the text. */
export function titleOf(component: SbomComponent): string {
  const declared = component.licenses?.map(({ expression, license }) => expression ?? license?.id ?? license?.name)
  return `${nameOf(component)} ${component.version} (${declared?.join(', ') ?? ''})`
}

export function nameOf({ group, name }: SbomComponent): string {
  return group === undefined ? name : `${group}/${name}`
}

function licenseText(component: SbomComponent): string {
  const texts = (component.evidence?.licenses ?? []).flatMap(({ license }) => license?.text ?? [])
  if (texts.length === 0) throw new Error(`${titleOf(component)} is in a bundle and has no license text`)
  return texts
    .map(({ content, encoding }) => Buffer.from(content, encoding ?? 'utf8').toString('utf8'))
    .map((text) => text.replaceAll('\r\n', '\n').trim())
    .join('\n\n')
}
