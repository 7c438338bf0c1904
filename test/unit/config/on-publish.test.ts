import { array, assert, property, string } from 'fast-check'
import { expect, test } from 'vitest'
import { parseAction } from '../../../agent/config/on-publish.ts'

test.each([
  ['/usr/bin/systemctl try-restart calico-felix', ['/usr/bin/systemctl', 'try-restart', 'calico-felix']],
  ['["/opt/tell","two words",""]', ['/opt/tell', 'two words', '']],
])('%s is a program', (text, argv) => {
  expect(parseAction(text)).toEqual({ kind: 'program', argv })
})

test.each([
  ['SIGHUP:/run/a.pid', 'SIGHUP'],
  ['hup:/run/a.pid', 'SIGHUP'],
  ['USR1:/run/a.pid', 'SIGUSR1'],
])('%s is a signal', (text, signal) => {
  expect(parseAction(text)).toEqual({ kind: 'signal', signal, pidFile: '/run/a.pid' })
})

test.each(['http://127.0.0.1:8080/reload?x=1', 'http://[::1]:80/', 'http://localhost:1/', 'http://127.1.2.3/'])(
  '%s is a URL of this machine',
  (url) => {
    expect(parseAction(url)).toEqual({ kind: 'url', url: new URL(url).href })
  },
)

test.each([
  ['systemctl restart x', /"systemctl"; it must be an absolute path/],
  ["/bin/sh -c 'kill 1'", /no shell reads it: write the arguments as a JSON array/],
  ['/bin/a && /bin/b', /no shell reads it/],
  ['[]', /must be a program with an absolute path, SIGHUP:/],
  ['["/bin/a",1]', /must be a program with an absolute path/],
  ['["/bin/a"', /must be a program with an absolute path/],
  ['["/bin/a","x\\u0000"]', /must be a program with an absolute path/],
  ['SIGKILL:/run/a.pid', /one of SIGHUP, SIGUSR1/],
  ['https://127.0.0.1/', /must be http on 127/],
  ['http://10.0.0.1/', /not for other machines/],
  ['http://127.0.0.1.example.org/', /not for other machines/],
  ['http://localhost.example.org/', /not for other machines/],
  ['http:///', /must be http on 127/],
  ['http://user:word@127.0.0.1/', /holds a user or a password/],
  ['https://user:word@example.org/', /holds a user or a password/],
])('%s is refused', (text, problem) => {
  expect(parseAction(text)).toMatch(problem)
  expect(parseAction(text)).not.toContain('word@')
})

test('a JSON array is taken as it is, whatever is in it', () => {
  assert(
    property(array(string()), (rest) => {
      const argv = ['/bin/a', ...rest]
      const isUsable = !rest.some((each) => each.includes('\0'))
      const action = parseAction(JSON.stringify(argv))
      if (isUsable) expect(action).toEqual({ kind: 'program', argv })
      else expect(action).toEqual(expect.any(String))
    }),
  )
})
