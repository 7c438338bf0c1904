/** Owns the faults of what the agent logs in with. */
import { rmSync, writeFileSync } from 'node:fs'
import type { FaultRow, Stage } from '../row.ts'
import { forgetTokens } from './vault.ts'

const group = 'credentials'

/** The service-account token is changed, and the next login comes at once. */
async function replaceToken(stage: Stage, token: string): Promise<void> {
  writeFileSync(stage.tokenFile, token)
  await forgetTokens(stage)
}

const freshToken = ({ lab, node }: Stage): string => lab.accounts.token({ node })

const recover = (stage: Stage): void => writeFileSync(stage.tokenFile, freshToken(stage))

export const credentialRows: readonly FaultRow[] = [
  {
    group,
    name: 'the token file is rotated',
    reasons: [],
    inject: (stage) => replaceToken(stage, freshToken(stage)),
    recover: () => {},
  },
  {
    group,
    name: 'the token file is stale',
    reasons: ['credential-expired'],
    inject: (stage) => replaceToken(stage, stage.lab.accounts.token({ node: stage.node, expiresInSeconds: -600 })),
    recover,
  },
  {
    group,
    name: 'the token file is gone',
    reasons: ['credential-missing'],
    async inject(stage) {
      rmSync(stage.tokenFile)
      await forgetTokens(stage)
    },
    recover,
  },
  {
    group,
    name: 'the token is forged',
    reasons: ['vault-login-refused'],
    inject: (stage) => replaceToken(stage, stage.lab.accounts.token({ node: stage.node, isForged: true })),
    recover,
  },
  {
    group,
    name: 'the token is for another node',
    reasons: ['wrong-node'],
    inject: (stage) => replaceToken(stage, stage.lab.accounts.token({ node: 'another' })),
    recover,
  },
  {
    group,
    name: 'TokenReview: the API server is down',
    reasons: ['vault-login-refused', 'vault-server-error'],
    hasOwnVault: true,
    env: ({ lab }) => ({ AGENT_AUTH_METHOD: 'kubernetes', AGENT_PKI_ROLE: lab.setup.weakRole('calico-node') }),
    async inject(stage) {
      stage.lab.kube.mode = 'drop'
      await forgetTokens(stage)
    },
    recover: ({ lab }) => {
      lab.kube.mode = 'normal'
    },
  },
]
