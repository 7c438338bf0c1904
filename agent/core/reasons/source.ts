/** Owns the reasons why a source of certificates that are made elsewhere has none to publish. */
import type { Reason } from '../reason.ts'

/** Somebody may be about to mend it, and reading again costs little. */
const source = (summary: string, advice: string): Reason => ({ about: 'source', retry: 'awaited', summary, advice })

export const sourceReasons = {
  'source-empty': source(
    'the source has nothing for this target',
    'Write certificate, key and CA there; check AGENT_KV_MOUNT, AGENT_KV_PATH, AGENT_KV_VERSION or AGENT_SOURCE_DIR.',
  ),
  'source-incomplete': source(
    'a part is missing in the source',
    'Write it, or name what is there in AGENT_SOURCE_FIELDS.',
  ),
  'source-unreadable': source(
    'a file of the source cannot be read',
    'Check owner and mode of the files against the user of the agent.',
  ),
  'source-older': source(
    'the source holds an older certificate than the published one',
    'Write a newer one: the agent never goes back. To go back on purpose, stop the agent and empty its directory and AGENT_STATE_DIR.',
  ),
  'nothing-newer': source(
    'the certificate ends soon, and the source has nothing newer',
    'Have a new certificate made and written there: the agent does not make any.',
  ),
} as const satisfies Record<string, Reason>
