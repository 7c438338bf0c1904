/** Owns the gauges of what is true of a target now: read from its state, as it was told last, when somebody asks. */
import { Gauge, type Registry } from 'prom-client'
import type { TargetView } from './events.ts'

export interface StateGauges {
  /** A target's state is another; undefined: nothing is known of it yet. */
  tell(component: string, state: TargetView | undefined): void
  /** One series for each target of which `read` knows something. */
  add(name: string, help: string, read: (state: TargetView | undefined) => number | undefined): void
  /** Any number of series for each target, with more labels. */
  addMany<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
    read: (state: TargetView) => readonly (readonly [Readonly<Record<Label, string>>, number])[],
  ): void
}

export function createStateGauges(registers: Registry[], prefix: string): StateGauges {
  const states = new Map<string, TargetView | undefined>()
  return {
    tell: (component, state) => void states.set(component, state),
    add(name, help, read) {
      const collect = (): void => {
        for (const [component, state] of states) {
          const value = read(state)
          if (value !== undefined) gauge.set({ component }, value)
        }
      }
      const gauge = new Gauge({ name: prefix + name, help, labelNames: ['component'], registers, collect })
    },
    addMany(name, help, labels, read) {
      const collect = (): void => {
        // What is not there any more leaves the metric.
        gauge.reset()
        for (const [component, state] of states) {
          for (const [found, value] of state === undefined ? [] : read(state)) gauge.set({ component, ...found }, value)
        }
      }
      const labelNames: string[] = ['component', ...labels]
      const gauge = new Gauge({ name: prefix + name, help, labelNames, registers, collect })
    },
  }
}
