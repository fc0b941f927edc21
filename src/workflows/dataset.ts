/**
 * Datasets made of plain objects: written as own data (docs/your-data.md) into a folder, so that training, evaluation and
 * the command line read them as they read any other file.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { maskToRle } from '../data/masks/mask-exchange.js';
import { unionOfSources } from '../data/masks/coco-mask-annotation.js';
import { OWN_SPLITS, type OwnSplit, parseOwnLine } from '../data/own/own-data-line.js';
import { messageOf, UserError } from '../errors.js';
import { checkKeys, decodedImage } from '../inference/segment-options.js';
import type { ImageSource } from '../inference/reply.js';
import { writeDirectoryAtomic } from '../io/atomic/atomic-file.js';
import { readImageSize, writePng } from '../io/image/image-file.js';
import type { BinaryMask } from '../types.js';
import { counted, type Watch } from './watch.js';

/**
 * Pixels of a target: a mask of the picture's size, COCO's run lengths, or polygons `[[x0, y0, x1, y1, …], …]`, as
 * `segment`, `maskToRle` and `maskToPolygons` give them.
 */
export type TargetMask =
  | BinaryMask
  | { readonly size: readonly number[]; readonly counts: string | readonly number[] }
  | readonly (readonly number[])[];

/** Something that can be asked for. */
export interface DatasetExpression {
  /** One text, or several for the same thing. */
  readonly text: string | readonly string[];
  /** Null: nothing in the picture fits. */
  readonly mask: TargetMask | null;
}

/** A picture with what can be asked about it. */
export interface DatasetImage {
  readonly image: ImageSource;
  /** Default: 'train' where any image has a split, else the image serves as any. */
  readonly split?: OwnSplit | undefined;
  /** At least one. */
  readonly expressions: readonly DatasetExpression[];
}

/** Options of `dataset`. */
export interface DatasetOptions extends Watch {
  /** Folder to write; it must not exist. Default: a temporary one, which `dispose` removes. */
  readonly dir?: string | undefined;
}

/** A dataset on disk: `data` of `train` and of `evaluate`. */
export interface Dataset {
  /** Its file of own data (JSON lines), which `gsva train` and `gsva eval` take as --data. */
  readonly file: string;
  /** Number of images by split; all are in `train` where none names a split. */
  readonly images: Readonly<Record<OwnSplit, number>>;
  /** Removes a temporary folder; a folder named by `dir` stays. */
  dispose(): void;
  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void;
}

const KEYS = ['image', 'split', 'expressions'] as const satisfies (keyof DatasetImage)[];
const OPTION_KEYS = ['dir', 'onNote', 'onProgress', 'signal'] as const satisfies (keyof DatasetOptions)[];

/**
 * Makes a dataset of plain objects. Pictures in memory are written as PNG; paths stay where they are.
 *
 *     const shapes = await dataset([
 *       { image: 'photo.jpg', expressions: [{ text: 'the cup', mask: [[10, 10, 60, 10, 60, 40]] }, { text: 'a dog', mask: null }] },
 *     ]);
 *     await evaluate({ data: shapes });
 *     shapes.dispose();
 *
 * @throws UserError that names the image and the key; the signal's reason. Nothing stays on disk then
 */
export async function dataset(images: readonly DatasetImage[], options: DatasetOptions = {}): Promise<Dataset> {
  checkKeys('Making a dataset', options, OPTION_KEYS);
  const given: unknown = images;
  if (!Array.isArray(given) || given.length === 0) {
    throw new UserError('Making a dataset: images are a list of at least one { image, expressions }.');
  }
  const { dir } = options;
  const folder = dir === undefined ? mkdtempSync(join(tmpdir(), 'gsva-dataset-')) : resolve(dir);
  const dispose = (): void => {
    if (dir === undefined) rmSync(folder, { recursive: true, force: true });
  };
  try {
    if (dir !== undefined && existsSync(folder))
      throw new UserError(`Making a dataset: ${folder} exists already. Name a folder that does not.`, 'bad-option');
    await writeDirectoryAtomic(folder, async (temporary) => {
      const report = counted(options, 'dataset');
      const lines: string[] = [];
      for (const [index, image] of images.entries()) {
        await nextTurn();
        report(index, images.length);
        lines.push(`${JSON.stringify(await lineOf(image, index, temporary))}\n`);
      }
      writeFileSync(join(temporary, FILE), lines.join(''));
      report(images.length, images.length);
    });
  } catch (error) {
    dispose();
    throw error;
  }
  const count = (split: OwnSplit): number => images.filter((image) => (image.split ?? 'train') === split).length;
  return {
    file: join(folder, FILE),
    images: Object.fromEntries(OWN_SPLITS.map((split) => [split, count(split)])) as Record<OwnSplit, number>,
    dispose,
    [Symbol.dispose]: dispose,
  };
}

const FILE = 'data.jsonl';

/** An image as a line of own data, checked down to the pixel. */
async function lineOf(given: DatasetImage, index: number, folder: string): Promise<object> {
  const place = `Making a dataset: images[${index}]`;
  checkKeys(place, given, KEYS);
  const { split, expressions } = given;
  const picture = await placedPicture(given.image, index, folder, place);
  if (!Array.isArray(expressions)) throw new UserError(`${place}: expressions are a list of { text, mask }.`);
  const line = {
    ...picture,
    ...(split === undefined ? {} : { split }),
    expressions: expressions.map((expression: DatasetExpression, i) => ({
      ...expression,
      mask: writtenMask(expression.mask, `${place}: expressions[${i}].mask`),
    })),
  };
  for (const { text, masks } of parseOwnLine(line, index + 1, folder, place).expressions) {
    unionOfSources(masks, picture.height, picture.width, `${place}, ${JSON.stringify(text)}`);
  }
  return line;
}

/** Path and size of a picture; one in memory becomes a file of the folder. */
async function placedPicture(image: ImageSource, index: number, folder: string, place: string) {
  try {
    if (typeof image === 'string') {
      const path = resolve(image);
      return { image: path, ...(await readImageSize(path)) };
    }
    const picture = await decodedImage(image);
    const name = `images/${String(index + 1).padStart(6, '0')}.png`;
    mkdirSync(join(folder, 'images'), { recursive: true });
    await writePng(join(folder, name), picture);
    return { image: name, height: picture.height, width: picture.width };
  } catch (error) {
    throw new UserError(`${place}: ${messageOf(error)}`, 'bad-image');
  }
}

/** A mask as a line of own data has it; other kinds of values are left to its check. */
function writtenMask(mask: TargetMask | null, place: string): unknown {
  if (Array.isArray(mask)) return { polygons: mask };
  if (typeof mask !== 'object' || mask === null) return mask;
  if ('counts' in mask) return { rle: { size: mask.size, counts: mask.counts } };
  if ('data' in mask) return { rle: maskToRle(mask) };
  throw new UserError(
    `${place}: a mask is { data, height, width }, run lengths { size, counts }, a list of polygons, or null where the ` +
      `thing is absent; found an object with ${Object.keys(mask).join(', ') || 'no keys'}.`,
  );
}
