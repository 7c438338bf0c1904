/** Makes the images that are not in the cache yet, in a mount namespace that is gone with it: what buildah has mounted as well. */
import { imageArchives } from './images.ts'

imageArchives((line) => console.log(line))
