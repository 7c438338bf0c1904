/** Owns the reasons why a directory cannot be written, or is not as it should be. */
import type { Reason } from '../reason.ts'

const store = (summary: string, advice: string): Reason => ({ about: 'store', retry: 'local', summary, advice })

export const storeReasons = {
  'directory-missing': store('the directory does not exist', 'Mount a volume there.'),
  'directory-read-only': store(
    'the file system is read-only',
    'Mount an emptyDir, not a Secret, and without readOnly.',
  ),
  'directory-denied': store('access to the directory is denied', 'Check its owner and the user of the agent.'),
  'directory-full': store('no space or no inode is left', 'Raise the sizeLimit of the volume or free space.'),
  'directory-occupied': store(
    'something that the agent did not make stands in the place of a file',
    'Move it away; the agent never deletes what it did not make.',
  ),
  'host-copy-absent': {
    ...store(
      'install-cni has not made the directory calico-tls on the host (yet)',
      "Check that install-cni has run and mounts this component's directory at /calico-secrets, and that AGENT_HOST_CNI_DIR is the host's /etc/cni/net.d.",
    ),
    retry: 'awaited',
  },
  'directory-in-use': {
    ...store(
      'another agent has the directory',
      'Give every agent a directory of its own, or end one of them: who has it keeps it until it ends.',
    ),
    retry: 'awaited',
  },
  'directory-unlocked': store(
    'it cannot be made sure that no other agent writes into the directory',
    'Use a file system that has sockets; until then, see to it that no second agent gets this directory.',
  ),
  'issuance-record': store(
    'the record of the certificates made cannot be read or written',
    'Check the owner of the file and the space left; until then a restart forgets what AGENT_ISSUANCE_BUDGET counts.',
  ),
  'generation-stuck': store(
    'an old generation of files cannot be removed',
    'Remove it by hand, as it holds an old private key; check its owner and the user of the agent.',
  ),
  'repair-undone': store(
    'somebody undoes what the agent puts back in the directory, again and again',
    'Find who else writes there and stop it; until then it is put back within 30 s each time.',
  ),
  'attributes-ignored': store(
    'the file system has not given the published files the mode or owner that is configured',
    'Use a file system with modes and owners (an emptyDir); until then, others may be able to read the key.',
  ),
  'directory-failed': store('a file operation failed', 'Look at the system error in the message.'),
} as const satisfies Record<string, Reason>
