/** The rows of variables.ts about who is told after a publication (on-publish.ts). */
export const onPublishVariables = {
  AGENT_ON_PUBLISH: {
    group: 'Operation',
    meaning: 'told after a publication: a program, `SIGHUP:/pid/file` or a loopback URL (docs/on-publish.md)',
  },
  AGENT_ON_PUBLISH_WHEN: {
    group: 'Operation',
    default: 'every',
    meaning: '`every` publication, or `ca-only`: only if the CA set has changed',
    needs: 'AGENT_ON_PUBLISH',
  },
  AGENT_ON_PUBLISH_TIMEOUT: {
    group: 'Operation',
    default: '30s',
    meaning: 'how long it may take, 1s to 10m; then the program is killed with its children',
    needs: 'AGENT_ON_PUBLISH',
  },
} as const
