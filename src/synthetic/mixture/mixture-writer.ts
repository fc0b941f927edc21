/**
 * The pretraining mixture of the embedded benchmark: semantic segmentation, RES, VQA and reasoning segmentation about
 * synthetic scenes, each in a published layout that the registry's loaders read.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeJpeg } from '../../io/image/image-file.js';
import { renderScene } from '../render.js';
import { type Scene, type SynthSplit, sceneRandom, synthScene } from '../scene.js';
import { ReasonWriter } from './reason.js';
import { ResWriter } from './res.js';
import { SemSegWriter } from './sem-seg.js';
import { VqaWriter } from './vqa.js';
import type { Random } from '../../random.js';

/** Images of each of the four sets. */
export type MixtureSizes = Readonly<Record<MixturePart, number>>;

/** Images of all four sets. */
export function mixtureImages({ train, val }: MixtureSizes): number {
  return 4 * (train + val);
}

const JPEG_QUALITY = 90;
/** Encoded and written while the next scenes are rendered. */
const IMAGES_AT_ONCE = 8;
/** A scene in so many at least offers something to every set; more in a row without are a fault of the generator. */
const MOST_SCENES_PER_IMAGE = 100;

/**
 * Writes all four sets below `root`, a folder that is there.
 * @param onImages is told how many images were written since it was called last; what it throws ends the work
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
    if (index > MOST_SCENES_PER_IMAGE * images) throw new Error(`writeMixture: ${set.name} takes no scene`);
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

async function writePicture(path: string, scene: Scene): Promise<void> {
  await writeFile(path, await encodeJpeg(renderScene(scene), JPEG_QUALITY));
}

/** What is trained on, and what is held out to measure on. */
export const MIXTURE_PARTS = ['train', 'val'] as const;
export type MixturePart = (typeof MIXTURE_PARTS)[number];

export interface SetWriter {
  /** As the registry of data sets has it. */
  readonly name: string;
  /** Where its scenes come from: no two sets share one. */
  readonly scenes: Readonly<Record<MixturePart, SynthSplit>>;
  /**
   * Adds a scene.
   * @param random whatever else is drawn about it
   * @returns where its picture belongs, below the data folder; null where the scene offers nothing to ask about
   */
  add(scene: Scene, random: Random, part: MixturePart, index: number): string | null;
  /** Writes the lists of all scenes that were added. */
  finish(): void;
}

/** A list as JSON, a record to a line. */
export function jsonLinesList(records: readonly unknown[]): Uint8Array[] {
  return [Buffer.from(`[\n${records.map((record) => JSON.stringify(record)).join(',\n')}\n]\n`, 'utf8')];
}
