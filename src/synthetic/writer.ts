/**
 * Writes the embedded benchmark as a dataset in gRefCOCO's published layout, plus synth.json with the parameters and
 * counts, and, where asked for, the sets of the pretraining mixture (mixture/). The same parameters give the same bytes;
 * a folder is there completely or not at all.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { UserError, messageOf } from '../errors.js';
import { writeDirectoryAtomic, writeFileAtomic } from '../io/atomic/atomic-file.js';
import { writeJson } from '../io/json/json-file.js';
import type { GRefCocoSplit } from '../data/refer/refcoco.js';
import { EXPRESSION_KINDS, type ExpressionKind, sceneExpressions } from './expressions.js';
import {
  CATEGORIES,
  type ImageRecords,
  MAX_EXPRESSIONS_PER_IMAGE,
  MAX_IMAGES_PER_SPLIT,
  WRITTEN_SPLITS,
  recordsOf,
} from './records.js';
import { type MixtureSizes, mixtureImages, writeMixture } from './mixture/mixture-writer.js';
import { IMAGES_AT_ONCE, writePicture } from './render.js';
import { sceneRandom, synthScene } from './scene.js';

/** Options, with the images of each split: `trainImages` …, 0 … MAX_IMAGES_PER_SPLIT. */
export interface SynthOptions extends Readonly<Record<`${GRefCocoSplit}Images`, number>> {
  /** 0 … 2³² − 1. */
  readonly seed: number;
  /** Default 9. */
  readonly expressionsPerImage?: number;
  /** Images of each set of the pretraining mixture, in addition to gRefCOCO; default none. */
  readonly mixture?: MixtureSizes;
  /** Replace a dataset that an earlier call has written there. */
  readonly overwrite?: boolean;
}

type SynthCounts = ReturnType<typeof noCounts>;

/** Content of synth.json: a pure function of the options. */
export interface SynthSummary {
  readonly seed: number;
  readonly expressionsPerImage: number;
  readonly total: SynthCounts;
  readonly splits: Readonly<Record<GRefCocoSplit, SynthCounts>>;
  /** Forms of the masks. */
  readonly segmentations: { polygon: number; rle: number };
  /** Images of each set of the mixture; absent where it was not asked for. */
  readonly mixture?: MixtureSizes;
}

const SUMMARY_FILE = 'synth.json';
/** Keeps grefs(unc).json below the longest text that can be read in one piece. */
const MAX_EXPRESSIONS = 1_000_000;

/**
 * Writes train, val, testA and testB, all drawn from the same distribution of scenes.
 * @param dir is made; it may exist where it is empty, or where `overwrite` is set and it holds such a dataset
 * @param onProgress is called with the images done, first 0; its error ends the work, leaving `dir` as it was
 * @throws UserError where a number is out of range, `dir` is in use or cannot be written
 */
export async function writeSynthDataset(
  dir: string,
  options: SynthOptions,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<SynthSummary> {
  const { seed, expressionsPerImage = 9, mixture } = options;
  const plan = planOf(options, expressionsPerImage);
  const total = plan.length + (mixture === undefined ? 0 : mixtureImages(mixture));
  checkFolder(dir, options.overwrite ?? false);
  const collected = new Collected(seed, expressionsPerImage);
  const summary = mixture === undefined ? collected.summary : { ...collected.summary, mixture };
  let done = 0;
  const progress = (written: number): void => {
    onProgress((done += written), total);
  };
  await writeDirectoryAtomic(dir, async (temporary) => {
    const annotationDir = join(temporary, 'refer_seg', 'grefcoco');
    const imageDir = join(temporary, 'refer_seg', 'images', 'mscoco', 'images', 'train2014');
    await mkdir(annotationDir, { recursive: true });
    await mkdir(imageDir, { recursive: true });
    progress(0);
    for (let start = 0; start < plan.length; start += IMAGES_AT_ONCE) {
      const group = plan.slice(start, start + IMAGES_AT_ONCE);
      const results = await Promise.allSettled(
        group.map(async ({ split, index }) => {
          const scene = synthScene(seed, split, index);
          const expressions = sceneExpressions(scene, sceneRandom(seed, split, index).fork(1), expressionsPerImage);
          const records = recordsOf(scene, expressions, split, index);
          await writePicture(join(imageDir, records.image.file_name), scene);
          return records;
        }),
      );
      for (const result of results) {
        if (result.status === 'fulfilled') collected.add(result.value);
        else if (result.reason instanceof UserError) throw result.reason;
        else {
          const reason = messageOf(result.reason);
          throw new UserError(`Writing ${dir}: ${reason}. Check the path, its permissions and the free space.`);
        }
      }
      progress(group.length);
    }
    if (mixture !== undefined) await writeMixture(temporary, seed, mixture, progress);
    writeFileAtomic(join(annotationDir, 'grefs(unc).json'), collected.referencesFile());
    writeFileAtomic(join(annotationDir, 'instances.json'), collected.instancesFile());
    writeJson(join(temporary, SUMMARY_FILE), summary);
  });
  return summary;
}

/** Entries of the two files as text, one to a line, and the counts. */
class Collected {
  readonly summary: SynthSummary;
  private readonly images: string[] = [];
  private readonly annotations: string[] = [];
  private readonly references: string[] = [];

  constructor(seed: number, expressionsPerImage: number) {
    this.summary = {
      seed,
      expressionsPerImage,
      total: noCounts(),
      splits: { train: noCounts(), val: noCounts(), testA: noCounts(), testB: noCounts() },
      segmentations: { polygon: 0, rle: 0 },
    };
  }

  add({ split, image, annotations, references }: ImageRecords): void {
    const { total, splits, segmentations } = this.summary;
    this.images.push(JSON.stringify(image));
    for (const annotation of annotations) {
      segmentations[Array.isArray(annotation.segmentation) ? 'polygon' : 'rle']++;
      this.annotations.push(JSON.stringify(annotation));
    }
    for (const reference of references) this.references.push(JSON.stringify(reference));
    for (const counts of [total, splits[split]]) {
      counts.images++;
      counts.expressions += references.length;
      counts.noTarget += references.filter((reference) => reference.no_target).length;
      counts.multiTarget += references.filter((reference) => reference.ann_id.length > 1).length;
      for (const { kind } of references) counts.kinds[kind]++;
    }
  }

  *referencesFile(): Generator<Uint8Array> {
    yield* listOf(this.references);
    yield bytes('\n');
  }

  *instancesFile(): Generator<Uint8Array> {
    const info = { description: 'Synthetic scenes of coloured shapes (gsva data synth)', seed: this.summary.seed };
    yield bytes(`{"info": ${JSON.stringify(info)},\n"licenses": [],\n"images": `);
    yield* listOf(this.images);
    yield bytes(',\n"annotations": ');
    yield* listOf(this.annotations);
    yield bytes(`,\n"categories": ${JSON.stringify(CATEGORIES)}}\n`);
  }
}

function* listOf(lines: readonly string[]): Generator<Uint8Array> {
  const LINES_AT_ONCE = 4096;
  yield bytes('[');
  for (let start = 0; start < lines.length; start += LINES_AT_ONCE) {
    yield bytes(`${start === 0 ? '\n' : ',\n'}${lines.slice(start, start + LINES_AT_ONCE).join(',\n')}`);
  }
  yield bytes(']');
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

/** Counts; of expressions with two objects or more, and with none, apart. */
function noCounts() {
  const kinds = Object.fromEntries(EXPRESSION_KINDS.map((kind) => [kind, 0])) as Record<ExpressionKind, number>;
  return { images: 0, expressions: 0, multiTarget: 0, noTarget: 0, kinds };
}

/** The images to write, in order. @throws UserError where a number is out of range. */
function planOf(options: SynthOptions, expressionsPerImage: number): { split: GRefCocoSplit; index: number }[] {
  const check = (what: string, value: number, least: number, most: number): void => {
    if (Number.isInteger(value) && value >= least && value <= most) return;
    throw new UserError(
      `Writing a synthetic dataset: ${what} is ${value}; expected a whole number from ${least} to ${most}.`,
    );
  };
  check('the seed', options.seed, 0, 2 ** 32 - 1);
  check('the number of expressions per image', expressionsPerImage, 1, MAX_EXPRESSIONS_PER_IMAGE);
  const sizes = WRITTEN_SPLITS.map((split) => ({ split, size: options[`${split}Images`] }));
  for (const { split, size } of sizes) check(`the number of ${split} images`, size, 0, MAX_IMAGES_PER_SPLIT);
  for (const [part, images] of Object.entries(options.mixture ?? {})) {
    check(`the number of ${part} images of the mixture`, images, 1, MAX_IMAGES_PER_SPLIT);
  }
  const total = sizes.reduce((sum, { size }) => sum + size, 0);
  if (total === 0) throw new UserError('nothing to write: train, val, testA and testB have no images');
  check('the number of all expressions', total * expressionsPerImage, 1, MAX_EXPRESSIONS);
  return sizes.flatMap(({ split, size }) => Array.from({ length: size }, (_, index) => ({ split, index })));
}

/** @throws UserError where `dir` holds what must not be lost. */
function checkFolder(dir: string, overwrite: boolean): void {
  const found = statSync(resolve(dir), { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isDirectory()) throw new UserError(`${dir} is a file; choose a folder to write the dataset to`);
  if (readdirSync(dir).length === 0) return;
  if (!overwrite) throw new UserError(`${dir} is not empty; choose another folder or add --overwrite`);
  // The whole folder goes: a mistyped path must not cost a photo collection or the real gRefCOCO.
  if (!existsSync(join(dir, SUMMARY_FILE))) {
    throw new UserError(
      `${dir} is not empty and has no ${SUMMARY_FILE}, so \`gsva data synth\` has not written it and --overwrite ` +
        'does not apply; choose another folder or delete this one yourself',
    );
  }
}
