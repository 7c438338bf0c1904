/**
 * Owns what is left out of the bundles: parts of libraries that the agent never reaches, measured in docs/adr/0004. The
 * sources import the libraries as everybody does; only here do they become smaller.
 */
import { readFileSync, renameSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import type { BuildOptions, Plugin } from 'esbuild'

const require = createRequire(import.meta.url)
const rootOf = (library: string): string => dirname(require.resolve(`${library}/package.json`))

/** What a library's main module becomes: only the parts that we import. */
const replaced: Readonly<Record<string, () => string>> = {
  undici: () => `
    const Client = require(${JSON.stringify(join(rootOf('undici'), 'lib/dispatcher/client.js'))})
    const request = require(${JSON.stringify(join(rootOf('undici'), 'lib/api/api-request.js'))})
    Client.prototype.request = request
    exports.Client = Client`,
  'prom-client': () =>
    ['registry', 'gauge', 'counter', 'histogram']
      .map(
        (name) =>
          `exports.${name[0]?.toUpperCase()}${name.slice(1)} = require(${JSON.stringify(join(rootOf('prom-client'), 'lib', name))})`,
      )
      .join('\n'),
}

/** Of the tables of undici's parser those that are read; the others are built at every start. */
function parserConstants(): string {
  const tables = require(join(rootOf('undici'), 'lib/llhttp/constants.js')) as Readonly<Record<string, unknown>>
  const reader = readFileSync(join(rootOf('undici'), 'lib/dispatcher/client-h1.js'), 'utf8')
  const names = new Set([...reader.matchAll(/\bconstants\.([A-Z_]+)/g)].map(([, name = '']) => name))
  return [...names].map((name) => `exports.${name} = ${JSON.stringify(tables[name])}`).join('\n')
}

/** Beside the bundles, wherever they are. */
const parserFile = './llhttp.wasm'

/** Modules that are required but never used by us, by the end of their path, and what stands in their place. */
const stubs: readonly (readonly [from: RegExp, module: RegExp, contents: string])[] = [
  // undici: fetch's bodies, HTTP/2, the experimental parser, and the parser without SIMD.
  [/undici/, /web\/fetch\/(body|formdata)(\.js)?$|web\/webidl$/, 'exports.webidl = { is: { FormData: () => false } }'],
  [/undici/, /client-h2\.js$/, 'module.exports = () => { throw new Error("HTTP/2 is not in this bundle") }'],
  [
    /undici/,
    /^node:assert$/,
    // With the code of Node's: by it an answer that breaks undici's rules is told from a bug of ours.
    'module.exports = (holds, why) => { if (!holds) throw Object.assign(new Error(why ?? "undici: assertion failed"), { code: "ERR_ASSERTION" }) }',
  ],
  // Only for the default of a limit and for a check of bodies that we never send; loading it takes a millisecond.
  [/undici/, /^node:http$/, 'exports.maxHeaderSize = 16384; exports.IncomingMessage = class {}'],
  [/undici/, /parser-h1\.js$/, 'exports.getMiloEnabled = () => false'],
  [/undici/, /llhttp\/constants\.js$/, parserConstants()],
  [/undici/, /llhttp-wasm\.js$/, 'module.exports = undefined'],
  // The parser is a file of its own, read only when a connection is made: as it is, and not as base64 in a script to be compiled.
  [
    /undici/,
    /llhttp_simd-wasm\.js$/,
    `module.exports = require('node:fs').readFileSync(require.resolve('${parserFile}'))`,
  ],
  // node-vault: another HTTP client, debug output that would print tokens, generated commands and their schemas.
  [/node-vault/, /^(axios|https)$/, 'exports.create = () => { throw new Error("requests go through undici") }'],
  [/node-vault/, /^debug$/, 'module.exports = () => () => {}'],
  [/node-vault/, /^mustache$/, 'exports.render = (text) => text'],
  [/node-vault/, /^tv4$/, 'exports.validate = () => true'],
  [/node-vault/, /commands\.js$/, 'module.exports = {}'],
  // pino: workers to write logs from.
  [/pino/, /^thread-stream$/, 'module.exports = class {}'],
  // grpc-js: the other side.
  [/grpc-js/, /^\.\/server(-call|-interceptors)?$/, 'exports.Server = class {}'],
  // etcd3's protocol is in the bundle as JSON (proto.ts).
  [
    /protobufjs/,
    /^\.\/(parse|tokenize)$/,
    'module.exports = () => { throw new Error("there is no parser in this bundle") }',
  ],
]

export const slimLibraries: Plugin = {
  name: 'slim-libraries',
  setup(build) {
    build.onResolve({ filter: /^(undici|prom-client)$/ }, ({ path }) => ({ path, namespace: 'replaced' }))
    build.onLoad({ filter: /.*/, namespace: 'replaced' }, ({ path }) => ({
      contents: replaced[path]?.() ?? '',
      resolveDir: process.cwd(),
    }))
    build.onResolve({ filter: /.*/ }, ({ path, importer }) => {
      if (path === parserFile) return { path, external: true }
      const stub = stubs.find(([from, module]) => from.test(importer) && module.test(path))
      // Names of files in dist/ are made of these paths: nothing in them may be of this machine.
      return stub === undefined
        ? undefined
        : { path: `${relative('', importer)}:${path}`, namespace: 'stub', pluginData: stub[2] }
    })
    // Only the version is asked for (agent/core/version.ts).
    build.onLoad({ filter: /package\.json$/ }, ({ path }) => {
      if (path !== resolve('package.json')) return undefined
      const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string }
      return { contents: JSON.stringify({ version }), loader: 'json' }
    })
    build.onLoad({ filter: /.*/, namespace: 'stub' }, ({ pluginData }) => ({ contents: pluginData as string }))
  },
}

const parserModule = join(rootOf('undici'), 'lib/llhttp/llhttp_simd-wasm.js')

/** Makes `llhttp.wasm` of the module that holds undici's parser. */
export const parserAlone = {
  entryPoints: { llhttp: parserModule },
  plugins: [
    {
      name: 'parser-alone',
      setup(build) {
        build.onLoad({ filter: /.*/ }, ({ path }) => ({ contents: require(path) as Buffer, loader: 'copy' }))
        // A copy keeps the ending of its source.
        build.onEnd(({ metafile }) => {
          for (const [path, output] of Object.entries(metafile?.outputs ?? {})) {
            const named = path.replace(/js$/, 'wasm')
            renameSync(path, named)
            if (metafile !== undefined) metafile.outputs = { [named]: output }
          }
        })
      },
    },
  ],
} satisfies BuildOptions
