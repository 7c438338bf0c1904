/** Owns the reasons why consumers could not be told what was published (AGENT_ON_PUBLISH). */
import type { Reason } from '../reason.ts'

const consumer = (summary: string, advice: string): Reason => ({ about: 'consumer', retry: 'local', summary, advice })

export const consumerReasons = {
  'on-publish-failed': consumer(
    'AGENT_ON_PUBLISH failed, so the consumers do not know what was published',
    'Read the error: correct the program, the pid file or the URL. It is tried again; the log tells when it worked.',
  ),
  'on-publish-timeout': consumer(
    'AGENT_ON_PUBLISH took too long and was stopped',
    'Let it return at once and do its work in the background, or raise AGENT_ON_PUBLISH_TIMEOUT.',
  ),
  'on-publish-record': consumer(
    'the record of what the consumers were told cannot be written',
    'Check the space left and the owner of the directory; until then, a restart of the agent may tell them once more or not at all.',
  ),
} as const satisfies Record<string, Reason>
