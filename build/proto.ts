/**
 * Owns what becomes of etcd's protocol files in the bundle: etcd3 reads them beside its own sources at every start, and a
 * bundle has none. So they are parsed at build time and stand in the bundle as JSON.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Plugin } from 'esbuild'

const require = createRequire(import.meta.url)

export const protoInBundle: Plugin = {
  name: 'proto-in-bundle',
  setup(build) {
    build.onLoad({ filter: /etcd3[\\/]lib[\\/]connection-pool\.js$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8')
      const file = '`${__dirname}/../proto/rpc.proto`'
      const parts = source.split(`loadSync)(${file}`)
      if (parts.length !== 2) throw new Error(`${path} loads its protocol in another way than build/proto.ts knows`)
      return { contents: parts.join(`fromJSON)(${protoJson(join(dirname(path), '../proto/rpc.proto'))}`), loader: 'js' }
    })
  },
}

function protoJson(file: string): string {
  // proto-loader's own parser, so that it is the same version.
  const ofEtcd = createRequire(require.resolve('etcd3'))
  const resolve = createRequire(ofEtcd.resolve('@grpc/proto-loader'))
  const protobuf = resolve('protobufjs') as {
    Root: new () => { loadSync(file: string, options: object): { toJSON(): object } }
  }
  return JSON.stringify(new protobuf.Root().loadSync(file, { keepCase: true }).toJSON())
}
