# The agent on Node 24 and nothing else: no shell, no package manager. docs/image.md tells how to build and run it.
#
# NODE is what builds: Debian with Node 24 and npm in /usr/local. BASE is what runs: any image with Node 24, by default the one
# that is put together below from NODE's own node and the libraries that it is linked with.
ARG NODE=node:24-bookworm-slim
ARG BASE=bare

FROM ${NODE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# No package's script is run: Node is there already. The secret is for a registry of your own: --secret id=npmrc,src=$HOME/.npmrc
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc npm ci --ignore-scripts
COPY . .
RUN npm run build && cp LICENSE dist/

# The paths of the libraries, and of their licenses, differ by architecture: ldd and dpkg know them.
FROM ${NODE} AS parts
RUN set -eu; \
    node=$(command -v node); \
    libraries=$(ldd "$node" | sed -n 's|.* => \(/[^ ]*\) .*|\1|p; s|^[[:space:]]*\(/[^ ]*\) .*|\1|p'); \
    mkdir -p /bare/usr/local/bin /bare/tmp; \
    cp -L "$node" /bare/usr/local/bin/node; \
    cp -L --parents $libraries /bare; \
    cp -L --parents /usr/share/doc/libc6/copyright /usr/share/doc/libgcc-s1/copyright /bare; \
    cp -L /usr/local/LICENSE /bare/usr/local/; \
    chmod 1777 /bare/tmp

FROM scratch AS bare
COPY --from=parts /bare /
ENV PATH=/usr/local/bin

# V8 takes its code cache only from the very Node that made it: it is made again, by the image's own.
FROM ${BASE} AS cached
USER 0
ENV PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin TMPDIR=/src
WORKDIR /src
COPY --from=build /src /src
COPY --from=build /src/dist /app
RUN ["node", "build/code-cache.ts", "/app"]

FROM ${BASE}
LABEL org.opencontainers.image.title="calico-vault-agent" \
      org.opencontainers.image.description="Gives every Calico component on every node its own short-lived etcd certificate, signed by HashiCorp Vault or OpenBao" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.documentation="docs/image.md"
COPY --from=cached --chown=0:0 /app /app
# One malloc arena instead of one a thread; the flags are those of docs/adr/0004, and all of them only save memory and time.
ENV PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin MALLOC_ARENA_MAX=1
WORKDIR /
USER 10001:10001
EXPOSE 9879
ENTRYPOINT ["node", "--v8-pool-size=1", "--max-semi-space-size=1", "/app/main.js"]
CMD ["run"]
