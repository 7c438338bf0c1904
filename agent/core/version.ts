/** Owns the version of the program: the one of package.json. */
import manifest from '../../package.json' with { type: 'json' }

export const { version } = manifest
