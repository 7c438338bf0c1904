/** Owns the shapes of rendered objects, as far as the tests look into them, and finding things in them by name. */

export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: Readonly<Record<string, unknown>>
  readonly rules?: readonly object[]
}

export interface PodTemplate {
  readonly metadata?: {
    readonly annotations?: Readonly<Record<string, string>>
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly spec: PodSpec
}

export interface PodSpec {
  readonly imagePullSecrets?: readonly object[]
  readonly hostNetwork?: boolean
  readonly dnsPolicy?: string
  readonly serviceAccountName?: string
  readonly securityContext?: {
    readonly fsGroup?: number
    readonly seLinuxOptions?: object
    readonly seccompProfile?: object
  }
  readonly initContainers?: readonly Container[]
  readonly containers: readonly Container[]
  readonly volumes: readonly Volume[]
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly args?: readonly string[]
  readonly restartPolicy?: string
  readonly env?: readonly EnvEntry[]
  readonly envFrom?: readonly { readonly configMapRef?: { readonly name: string; readonly optional?: boolean } }[]
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[]
  readonly startupProbe?: ExecProbe
  readonly livenessProbe?: HttpProbe
  readonly readinessProbe?: HttpProbe
  readonly resources?: object
  readonly securityContext?: Readonly<Record<string, unknown>>
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[]
}

export interface EnvEntry {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: {
    readonly configMapKeyRef?: { readonly name: string; readonly key: string; readonly optional?: boolean }
    readonly fieldRef?: { readonly fieldPath: string }
  }
}

export interface ExecProbe {
  readonly exec?: { readonly command: readonly string[] }
  readonly periodSeconds?: number
  readonly timeoutSeconds?: number
  readonly failureThreshold?: number
}

export interface HttpProbe {
  readonly httpGet?: { readonly path: string; readonly port: string | number }
}

export interface Volume {
  readonly name: string
  readonly secret?: object
  readonly hostPath?: { readonly path: string }
  readonly configMap?: object
  readonly emptyDir?: { readonly medium?: string }
  readonly projected?: { readonly sources: readonly Readonly<Record<string, unknown>>[] }
}

export interface Workload {
  readonly name: string
  readonly kind: string
  readonly template: PodTemplate
}

/** Everything that makes pods. */
export function workloadsOf(objects: readonly KubeObject[]): Workload[] {
  return objects.flatMap(({ kind, metadata: { name }, spec }) => {
    const jobTemplate = spec?.['jobTemplate'] as { spec: Readonly<Record<string, unknown>> } | undefined
    const template = (jobTemplate?.spec ?? spec)?.['template'] as PodTemplate | undefined
    return template === undefined ? [] : [{ name, kind, template }]
  })
}

export function workload(objects: readonly KubeObject[], name: string): Workload {
  return required(workloadsOf(objects), name)
}

export function object(objects: readonly KubeObject[], kind: string, name: RegExp): KubeObject {
  const found = objects.filter((each) => each.kind === kind && name.test(each.metadata.name))
  if (found.length !== 1 || !found[0]) throw new Error(`${found.length} of ${kind} ${name}`)
  return found[0]
}

/** Where the API server has it. */
export function pathOf({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): string {
  const plural = `${kind.toLowerCase()}s`.replace(/ys$/, 'ies')
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  return `${group}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${plural}/${name}`
}

export function allContainers({ initContainers = [], containers }: PodSpec): readonly Container[] {
  return [...initContainers, ...containers]
}

/** As it is before a user has set the image: a name that nobody can have. */
export const agentImage = 'registry.invalid/calico-vault-agent:set-me'

export function agentsOf(spec: PodSpec, ofImage = agentImage): readonly Container[] {
  return allContainers(spec).filter(({ image }) => image === ofImage)
}

/** What is mounted there: the volume itself. */
export function volumeAt(spec: PodSpec, container: Container, path: string): Volume {
  const mount = (container.volumeMounts ?? []).find(({ mountPath }) => mountPath === path)
  if (mount === undefined) throw new Error(`${container.name} mounts nothing at ${path}`)
  return required(spec.volumes, mount.name)
}

/** The environment that the kubelet would make, for a pod on node1. */
export function environmentOf(
  objects: readonly KubeObject[],
  { env = [], envFrom = [] }: Container,
): Record<string, string> {
  const configMap = (name: string) => object(objects, 'ConfigMap', new RegExp(`^${name}$`)).data ?? {}
  const made: Record<string, string> = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' }
  for (const { configMapRef } of envFrom)
    if (configMapRef?.optional !== true) Object.assign(made, configMap(configMapRef?.name ?? ''))
  for (const { name, value, valueFrom } of env) {
    const found = value ?? valueOf(valueFrom)
    if (found !== undefined) made[name] = found
  }
  return made

  function valueOf(from: EnvEntry['valueFrom']): string | undefined {
    if (from?.fieldRef?.fieldPath === 'spec.nodeName') return 'node1'
    const { name, key } = from?.configMapKeyRef ?? { name: '', key: '' }
    const value = configMap(name)[key]
    if (value === undefined && from?.configMapKeyRef?.optional !== true)
      throw new Error(`ConfigMap ${name} has no key ${key}`)
    return value
  }
}

export function required<Named extends { readonly name: string }>(
  list: readonly Named[] | undefined,
  name: string,
): Named {
  const found = (list ?? []).filter((each) => each.name === name)
  if (found.length !== 1 || !found[0])
    throw new Error(`${found.length} called ${name} among ${(list ?? []).map((each) => each.name).join(', ')}`)
  return found[0]
}
