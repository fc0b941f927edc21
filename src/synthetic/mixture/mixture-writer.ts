/**
 * The pretraining mixture of the embedded benchmark: semantic segmentation, RES, VQA and reasoning segmentation about
 * synthetic scenes, each in a published layout that the registry's loaders read.
 */
import { join } from 'node:path';
import { IMAGES_AT_ONCE, writePicture } from '../render.js';
import { sceneRandom, synthScene } from '../scene.js';
import { ReasonWriter } from './reason.js';
import { MIXTURE_PARTS, type MixturePart, ResWriter, SemSegWriter, type SetWriter, VqaWriter } from './set-writers.js';

/** Images of each of the four sets. */
export type MixtureSizes = Readonly<Record<MixturePart, number>>;

/** Images of all four sets. */
export function mixtureImages({ train, val }: MixtureSizes): number {
  return 4 * (train + val);
}

/** Scenes up to which at least one offers something to every set; more in a row are a fault of the generator. */
const MOST_SCENES_PER_IMAGE = 100;

/**
 * Writes all four sets below `root`, an existing folder.
 * @param onImages is called with the number of images since the last call; its error ends the work
 */
export async function writeMixture(
  root: string,
  seed: number,
  sizes: MixtureSizes,
  onImages: (written: number) => void,
): Promise<void> {
  const sets = [new SemSegWriter(root), new ResWriter(root), new VqaWriter(root), new ReasonWriter(root)];
  for (const set of sets) {
    for (const part of MIXTURE_PARTS) await writePart(root, seed, set, part, sizes[part], onImages);
    set.finish();
  }
}

async function writePart(
  root: string,
  seed: number,
  set: SetWriter,
  part: MixturePart,
  images: number,
  onImages: (written: number) => void,
): Promise<void> {
  const split = set.scenes[part];
  let pending: Promise<void>[] = [];
  let written = 0;
  for (let index = 0; written < images; index++) {
    if (index > MOST_SCENES_PER_IMAGE * images) throw new Error(`writeMixture: no scene of ${split} is taken`);
    const scene = synthScene(seed, split, index);
    const picture = set.add(scene, sceneRandom(seed, split, index).fork(1), part, index);
    if (picture === null) continue;
    pending.push(writePicture(join(root, picture), scene));
    if (pending.length < IMAGES_AT_ONCE && written + pending.length < images) continue;
    await Promise.all(pending);
    written += pending.length;
    onImages(pending.length);
    pending = [];
  }
}
