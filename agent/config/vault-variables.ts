/** The rows of variables.ts that say where Vault is and how it is reached: those of Vault's own CLI, with the same meaning. */

export const vaultVariables = {
  VAULT_ADDR: {
    group: 'Vault',
    meaning: 'URL of Vault or OpenBao, or several with commas between. Required unless AGENT_SOURCE=file',
  },
  VAULT_CACERT: {
    group: 'Vault',
    meaning: "file with the CA of Vault's server certificate (not the PKI CA); read again when it changes",
  },
  VAULT_CACERT_BYTES: { group: 'Vault', meaning: 'the same as PEM text; wins over VAULT_CACERT' },
  VAULT_CAPATH: { group: 'Vault', meaning: 'directory of files with CA certificates, if neither of the two is set' },
  VAULT_CLIENT_CERT: { group: 'Vault', meaning: 'client certificate for TLS to Vault; read again when it changes' },
  VAULT_CLIENT_KEY: { group: 'Vault', meaning: 'its private key' },
  VAULT_TLS_SERVER_NAME: { group: 'Vault', meaning: "name that Vault's server certificate is verified for" },
  VAULT_NAMESPACE: { group: 'Vault', meaning: 'namespace (Vault Enterprise, OpenBao)' },
  VAULT_CLIENT_TIMEOUT: { group: 'Vault', default: '60s', meaning: 'deadline of one request' },
  VAULT_PROXY_ADDR: { group: 'Vault', meaning: 'URL of the proxy to Vault; wins over all of the following' },
  VAULT_HTTP_PROXY: { group: 'Vault', meaning: 'the same; NO_PROXY applies to neither of them' },
  HTTPS_PROXY: { group: 'Vault', meaning: 'URL of the proxy for https addresses; in lower case too' },
  HTTP_PROXY: { group: 'Vault', meaning: 'URL of the proxy for http addresses; in lower case too' },
  NO_PROXY: { group: 'Vault', meaning: 'what is reached without HTTPS_PROXY: names, addresses, networks, with ports' },
  VAULT_DISABLE_REDIRECTS: {
    group: 'Vault',
    default: 'false',
    meaning: "`true`: a standby's redirect to the active node is not followed",
  },
  VAULT_TOKEN: {
    group: 'Vault',
    meaning: "the token, if AGENT_AUTH_METHOD=token; setup-vault, rotate-ca: an administrator's",
    onlyFor: { AGENT_AUTH_METHOD: ['token'] },
  },
} as const
