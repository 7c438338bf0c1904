/** Owns the reasons of what the sidecar finds on its node; those of Vault, the gate and etcd's probe are in reason-catalog.ts. */
import { type Reason, reasonsAbout } from '../reason.ts'

/** Somebody may be about to mend it, and reading again costs little. */
const source = reasonsAbout('source')

/** Why a source of certificates that are made elsewhere has none to publish. */
export const sourceReasons = {
  'source-empty': source.awaited(
    'the source has nothing for this target',
    'Write certificate, key and CA there; check AGENT_KV_MOUNT, AGENT_KV_PATH, AGENT_KV_VERSION or AGENT_SOURCE_DIR.',
  ),
  'source-incomplete': source.awaited(
    'a part is missing in the source',
    'Write it, or name what is there in AGENT_SOURCE_FIELDS.',
  ),
  'source-unreadable': source.awaited(
    'a file of the source cannot be read',
    'Check owner and mode of the files against the user of the agent.',
  ),
  'source-older': source.awaited(
    'the source holds an older certificate than the published one',
    'Write a newer one, as the agent never goes back. To go back on purpose, stop the agent and empty its directory and AGENT_STATE_DIR.',
  ),
  'nothing-newer': source.awaited(
    'the certificate ends soon, and the source has nothing newer',
    'Have a new certificate made and written there. The agent makes none itself.',
  ),
} as const satisfies Record<string, Reason>

const store = reasonsAbout('store')

/** Why a directory cannot be written, or is not as it should be. */
export const storeReasons = {
  'directory-missing': store.local('the directory does not exist', 'Mount a volume there.'),
  'directory-read-only': store.local(
    'the file system is read-only',
    'Mount an emptyDir without readOnly, not a Secret.',
  ),
  'directory-denied': store.local('access to the directory is denied', 'Check its owner and the user of the agent.'),
  'directory-full': store.local('no space or no inode is left', 'Raise the sizeLimit of the volume or free space.'),
  'directory-occupied': store.local(
    'something that the agent did not make is in the place of a file',
    'Move it away. The agent never deletes what it did not make.',
  ),
  'host-copy-absent': store.awaited(
    'install-cni has not made the directory calico-tls on the host (yet)',
    "Check that install-cni has run and mounts this component's directory at /calico-secrets, and that AGENT_HOST_CNI_DIR is the host's /etc/cni/net.d.",
  ),
  'directory-in-use': store.awaited(
    'another agent has the directory',
    'Give every agent a directory of its own, or stop one of them. The current holder keeps it until it stops.',
  ),
  'directory-unlocked': store.local(
    'the agent cannot make sure that no other agent writes into the directory',
    'Use a file system that has sockets. Until then, make sure that no second agent uses this directory.',
  ),
  'issuance-record': store.local(
    'the record of the certificates made cannot be read or written',
    'Check the owner of the file and the space left. Until then, a restart forgets what AGENT_ISSUANCE_BUDGET counts.',
  ),
  'generation-stuck': store.local(
    'an old generation of files cannot be removed',
    'Remove it by hand, as it holds an old private key. Check its owner and the user of the agent.',
  ),
  'repair-undone': store.local(
    'somebody keeps undoing what the agent puts back in the directory',
    'Find out who else writes there, and stop it. Until then, the agent puts it back within 30 s each time.',
  ),
  'attributes-ignored': store.local(
    'the file system ignores the configured mode or owner of the published files',
    'Use a file system with modes and owners (an emptyDir). Until then, others may be able to read the key.',
  ),
  'directory-failed': store.local('a file operation failed', 'Look at the system error in the message.'),
} as const satisfies Record<string, Reason>

const consumer = reasonsAbout('consumer')

/** Why consumers could not be told what was published (AGENT_ON_PUBLISH). */
export const consumerReasons = {
  'on-publish-failed': consumer.local(
    'AGENT_ON_PUBLISH failed, so the consumers do not know what was published',
    'Read the error: correct the program, the pid file or the URL. It is tried again; the log tells when it worked.',
  ),
  'on-publish-timeout': consumer.local(
    'AGENT_ON_PUBLISH took too long and was stopped',
    'Let it return at once and do its work in the background, or raise AGENT_ON_PUBLISH_TIMEOUT.',
  ),
  'on-publish-record': consumer.local(
    'the record of what the consumers were told cannot be written',
    'Check the space left and the owner of the directory; until then, a restart of the agent may tell them once more or not at all.',
  ),
} as const satisfies Record<string, Reason>
