/** Owns calling a URL on this machine: one POST, no redirect, no proxy, no name server, a deadline. */
import { request } from 'node:http'
import type { LookupFunction } from 'node:net'
import { AgentError } from '../../core/errors.ts'
import { createOutput } from './output.ts'

/** `localhost` is this machine, whatever a name server says. */
const lookup: LookupFunction = (_name, { all }, answer) => {
  if (all === true) {
    answer(null, [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ])
  } else answer(null, '127.0.0.1', 4)
}

/**
 * @returns the status and the end of the answer
 * @throws AgentError unless the answer is 2xx and complete within the deadline
 */
export function callUrl(url: string, body: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const output = createOutput()
    const fail = (code: 'on-publish-failed' | 'on-publish-timeout', what: string): void => {
      clearTimeout(deadline)
      call.destroy()
      reject(new AgentError(code, `POST ${url}: ${what}`))
    }
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const call = request(url, { method: 'POST', headers, agent: false, lookup }, (response) => {
      response.on('data', output.add)
      response.on('error', ({ message }) => fail('on-publish-failed', message))
      response.on('end', () => {
        clearTimeout(deadline)
        const { statusCode = 0 } = response
        const answer = `${statusCode} ${output.text()}`.trim()
        if (statusCode >= 200 && statusCode < 300) resolve(answer)
        else fail('on-publish-failed', answer)
      })
    })
    const deadline = setTimeout(() => fail('on-publish-timeout', `no answer within ${timeoutMs / 1000} s`), timeoutMs)
    call.on('error', ({ message }) => fail('on-publish-failed', message))
    call.end(body)
  })
}
