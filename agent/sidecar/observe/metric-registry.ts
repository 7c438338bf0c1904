/**
 * Owns how a metric is declared, fed and exposed. It has a name, a help and labels, and says what each event that it hears is to it.
 * A label has the name of the field of the event that it shows. What is true now is read when somebody asks.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { type AgentEvent, type EventOf, type EventTable, type Listener, lookUp } from './events.ts'

/** What is counted, set or observed of the events that have these labels; undefined: nothing. */
type Samples<Label extends string> = {
  readonly [Type in Extract<AgentEvent, Readonly<Record<Label, string>>>['type']]?: (
    event: EventOf<Type>,
  ) => number | undefined
}

type Declare<Metric> = <const Label extends string = never>(
  name: string,
  help: string,
  labelNames: readonly Label[],
  samples: Samples<Label>,
) => Metric

type Labels = Readonly<Record<string, string>>

/** What most events are to a counter or a switch. */
export const one = () => 1
export const zero = () => 0

export interface MetricFamily {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labelNames: readonly string[]
}

export type MetricRegistry = ReturnType<typeof createMetricRegistry>

export function createMetricRegistry(prefix: string) {
  const registry = new Registry()
  const listeners: Listener[] = []
  const common = (name: string, help: string) => ({ name: prefix + name, help, registers: [registry] })

  function feed(
    labelNames: readonly string[],
    samples: EventTable<number | undefined>,
    take: (labels: Labels, value: number) => void,
  ): void {
    listeners.push((event) => {
      const value = lookUp(samples, event)
      if (value !== undefined) take(labelsOf(event, labelNames), value)
    })
  }

  /** Adds what each event is to it. */
  const counter: Declare<Counter> = (name, help, labelNames, samples) => {
    const metric = new Counter<string>({ ...common(name, help), labelNames })
    feed(labelNames, samples, (labels, value) => metric.inc(labels, value))
    return metric
  }

  /** Is what the last event was to it. */
  const gauge: Declare<void> = (name, help, labelNames, samples) => {
    const metric = new Gauge<string>({ ...common(name, help), labelNames })
    feed(labelNames, samples, (labels, value) => metric.set(labels, value))
  }

  /** Puts what each event is to it into one of these buckets. */
  const histogram = (buckets: number[]): Declare<void> => {
    return (name, help, labelNames, samples) => {
      const metric = new Histogram<string>({ ...common(name, help), labelNames, buckets })
      feed(labelNames, samples, (labels, value) => metric.observe(labels, value))
    }
  }

  /** A gauge that is read when somebody asks: a value for each set of labels. What is not there any more leaves the metric. */
  function reading<const Label extends string = never>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    read: () => readonly (readonly [Readonly<Record<Label, string>>, number])[],
  ): void {
    const collect = (): void => {
      metric.reset()
      for (const [labels, value] of read()) metric.set(labels, value)
    }
    const metric = new Gauge({ ...common(name, help), labelNames, collect })
  }

  return {
    counter,
    gauge,
    histogram,
    reading,
    /** For what is not one sample of an event. */
    hear: (listener: Listener): void => void listeners.push(listener),
    listener: (event: AgentEvent): void => {
      for (const listener of listeners) listener(event)
    },
    /** The exposition for an Accept header: OpenMetrics if it is asked for, else the text format. */
    expose: async (accept: string): Promise<{ contentType: string; text: string }> => {
      const text = await registry.metrics()
      return accept.includes('application/openmetrics-text')
        ? { contentType: Registry.OPENMETRICS_CONTENT_TYPE, text: toOpenMetrics(text) }
        : { contentType: Registry.PROMETHEUS_CONTENT_TYPE, text }
    },
    /** What there is, also what has no sample yet. prom-client types it as less than it is. */
    families: () => registry.getMetricsAsArray() as unknown as readonly MetricFamily[],
  }
}

function labelsOf(event: AgentEvent, names: readonly string[]): Labels {
  return Object.fromEntries(names.map((name) => [name, event[name as keyof AgentEvent]]))
}

/**
 * The same in OpenMetrics: counters are announced without `_total`, no empty lines, an end. prom-client could do it, but
 * renames the counters for good when it does, so that the next scrape in the text format finds them without `_total`.
 */
function toOpenMetrics(text: string): string {
  return `${text.replaceAll(/^# (HELP|TYPE) (\w+)_total /gm, '# $1 $2 ').replaceAll('\n\n', '\n')}# EOF\n`
}
