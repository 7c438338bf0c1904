import { describe, expect, test } from 'vitest'
import { AgentError } from '../../../agent/core/errors.ts'
import { createLoop, retryCall } from '../../../agent/core/retry-loop.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

/** A loop whose steps answer what the test says, the last answer again and again. */
function stage(answers: readonly (number | undefined)[], during: (step: number, wake: () => void) => void = () => {}) {
  const clock = createFakeClock()
  const stop = new AbortController()
  let steps = 0
  const loop = createLoop(clock, () => {
    const step = steps++
    during(step, loop.wake)
    return answers[Math.min(step, answers.length - 1)]
  })
  return { clock, stop, loop, running: loop.run(stop.signal), steps: () => steps }
}

describe('the loop', () => {
  test('waits as long as the step says, and ends with the stop', async () => {
    const { clock, stop, running, steps } = stage([0, 0, 1000])
    expect(await clock.nextSleep()).toBe(1000)
    expect(steps()).toBe(3)
    clock.advance(999)
    expect(clock.sleeping()).toBe(1)
    clock.advance(1)
    await clock.nextSleep()
    expect(steps()).toBe(4)
    stop.abort()
    await running
    expect(steps()).toBe(4)
  })

  test('ends with a step that has no next one', async () => {
    const { running, steps } = stage([0, undefined])
    await running
    expect(steps()).toBe(2)
  })

  test('is woken from its wait', async () => {
    const { clock, loop, steps } = stage([1000])
    await clock.nextSleep()
    loop.wake()
    await clock.nextSleep()
    expect(steps()).toBe(2)
  })

  test('loses no wake that comes during a step', async () => {
    const { clock, steps } = stage([1000], (step, wake) => {
      if (step === 0) wake()
    })
    await clock.nextSleep()
    await clock.nextSleep()
    expect(steps()).toBe(2)
  })

  test('lets timers, signals and requests through between steps that follow each other at once', async () => {
    const turn = { isOver: false }
    // Ends by itself in any case: a loop that lets nothing through would never end.
    const { running, steps } = stage([0], (step) => {
      if (step === 0) setImmediate(() => void (turn.isOver = true))
      if (turn.isOver || step === 1000) throw new Error('enough')
    })
    await expect(running).rejects.toThrow('enough')
    expect(steps()).toBeLessThan(10)
  })

  describe('with an answer to failures', () => {
    function failing(errors: readonly Error[], during: (stop: AbortController) => void = () => {}) {
      const clock = createFakeClock()
      const stop = new AbortController()
      const told: string[] = []
      const step = (): number => {
        const error = errors[told.length]
        during(stop)
        if (error !== undefined) throw error
        return 1000
      }
      const loop = createLoop(clock, step, ({ code }) => told.push(code) * 10)
      return { clock, told, running: loop.run(stop.signal) }
    }

    test('waits as long as that says, and goes on', async () => {
      const { clock, told } = failing([new AgentError('vault-sealed', ''), new AgentError('vault-timeout', '')])
      expect(await clock.nextSleep()).toBe(10)
      clock.advance(10)
      expect(await clock.nextSleep()).toBe(20)
      clock.advance(20)
      expect(await clock.nextSleep()).toBe(1000)
      expect(told).toEqual(['vault-sealed', 'vault-timeout'])
    })

    test('ends with a bug all the same', async () => {
      await expect(failing([new TypeError('a bug')]).running).rejects.toThrow(TypeError)
    })

    test('tells nothing of what fails because of the end', async () => {
      const { told, running } = failing([new TypeError('the request was aborted')], (stop) => stop.abort())
      await running
      expect(told).toEqual([])
    })
  })

  test('ends with a bug', async () => {
    const { running } = stage([0], () => {
      throw new TypeError('a bug')
    })
    await expect(running).rejects.toThrow(TypeError)
  })
})

describe('a call that is tried again', () => {
  /** Each try fails with the next error; once there is none, the call answers how many there were. */
  function calling(errors: readonly Error[]) {
    const clock = createFakeClock()
    let tries = 0
    const call = async (): Promise<number> => {
      const error = errors[tries++]
      if (error !== undefined) throw error
      return tries
    }
    const answer = retryCall(clock, call, (error) => {
      if (error.code === 'etcd-denied') throw error
      return tries * 10
    })
    return { clock, answer }
  }

  test('waits after each failure, and answers what the call answers', async () => {
    const { clock, answer } = calling([new AgentError('etcd-busy', ''), new AgentError('etcd-timeout', '')])
    expect(await clock.nextSleep()).toBe(10)
    clock.advance(10)
    expect(await clock.nextSleep()).toBe(20)
    clock.advance(20)
    expect(await answer).toBe(3)
  })

  test('ends with what is not worth another try, and with a bug', async () => {
    await expect(calling([new AgentError('etcd-denied', 'no')]).answer).rejects.toMatchObject({ code: 'etcd-denied' })
    await expect(calling([new TypeError('a bug')]).answer).rejects.toThrow(TypeError)
  })
})
