/** Owns an HTTP server that answers as an agent does on /metrics, until the test ends; it can be shut and opened again. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { OnEnd } from './temp-dir.ts'

export interface MetricsServer {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  /** Answers with 503 from now on, or again as before. */
  setDown(isDown: boolean): void
  /** Resolves when somebody has asked once more. */
  asked(): Promise<void>
}

export async function serveMetrics(
  scrape: () => Promise<string>,
  onEnd: OnEnd = onTestFinished,
): Promise<MetricsServer> {
  let isDown = false
  let tell = (): void => {}
  const server = createServer((request, response) => {
    void (async () => {
      const isFound = request.url === '/metrics' && !isDown
      response.writeHead(isFound ? 200 : 503, { 'content-type': 'text/plain' }).end(isFound ? await scrape() : 'down\n')
      tell()
    })()
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onEnd(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    setDown: (down) => {
      isDown = down
    },
    asked: () =>
      new Promise((resolve) => {
        tell = resolve
      }),
  }
}
