/** Owns what the demo shows: steps with the time they took, what was seen, and at the end whether all of it held. */

export interface Report {
  heading(text: string): void
  note(text: string): void
  /** Runs a step that must hold: it returns what it saw, or throws what was wrong. */
  check(claim: string, prove: () => Promise<string> | string): Promise<void>
  /** Prints the verdict. Answers whether everything held. */
  finish(): boolean
}

export function createReport(out: NodeJS.WriteStream): Report {
  const startedAt = performance.now()
  const failed: string[] = []
  let held = 0
  const paint = (code: string, text: string): string => (out.isTTY ? `\x1b[${code}m${text}\x1b[0m` : text)
  const elapsed = (): string => `${((performance.now() - startedAt) / 1000).toFixed(1)}s`.padStart(6)
  const line = (text: string): void => void out.write(`${text}\n`)
  return {
    heading: (text) => line(`\n${paint('1', text)}`),
    note: (text) => line(paint('90', `${elapsed()}   ${text}`)),
    async check(claim, prove) {
      if (out.isTTY) out.write(`\r\x1b[K${paint('90', elapsed())} … ${claim}`)
      const again = out.isTTY ? '\r\x1b[K' : ''
      try {
        const seen = await prove()
        held++
        line(
          `${again}${paint('90', elapsed())} ${paint('32', '✓')} ${claim}${seen === '' ? '' : paint('90', `: ${seen}`)}`,
        )
      } catch (error) {
        failed.push(claim)
        const why = error instanceof Error ? error.message : String(error)
        line(`${again}${paint('90', elapsed())} ${paint('31', '✗')} ${claim}: ${paint('31', why)}`)
      }
    },
    finish() {
      const verdict =
        failed.length === 0
          ? paint('1;32', `All ${held} claims held.`)
          : paint('1;31', `${failed.length} of ${held + failed.length} claims did not hold.`)
      line(`\n${verdict} ${elapsed().trim()}`)
      return failed.length === 0
    },
  }
}
