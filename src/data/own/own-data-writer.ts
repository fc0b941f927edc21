/** Writes lines of own data (docs/your-data.md): what the imports have in common. */
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import { UserError } from '../../errors.js';
import { writeFileAtomic } from '../../io/atomic/atomic-file.js';
import { Random } from '../../random.js';
import type { Size } from '../image/size-mismatch.js';
import { annotationToRle, isPolygon } from '../masks/coco-mask-annotation.js';
import { rleArea, rleToString } from '../masks/coco-mask.js';
import type { CocoRle } from '../masks/mask-exchange.js';
import { checkedExpression, cleanExpression } from '../text/expression.js';
import type { OwnSplit } from './own-data-line.js';

/** A mask as a line has it. */
export type WrittenMask = { readonly polygons: readonly (readonly number[])[] } | { readonly rle: CocoRle };

export interface ImportedImage extends Size {
  /** Path of the file. */
  readonly path: string;
  /** Split by the annotations; null or absent without one. */
  readonly split?: OwnSplit | null;
  readonly expressions: readonly { readonly text: string; readonly masks: readonly WrittenMask[] }[];
  /** Everything annotated in any form, in lower case, in addition to `expressions`. */
  readonly annotated?: ReadonlySet<string>;
  /** Names that it is known to lack; null or absent: all that it is not annotated with. */
  readonly knownAbsent?: readonly string[] | null;
}

export interface WriteOptions {
  /** Share of the images that are for validation, in [0, 1). */
  readonly val: number;
  /** Number of absent names per image: of other images, or of those that the annotations list as absent. */
  readonly absent: number;
  /** Decides both. */
  readonly seed: number;
}

/** @throws UserError where `out` exists already */
export function refuseExisting(out: string, overwrite: boolean): void {
  if (overwrite || !existsSync(out)) return;
  throw new UserError(`${out} exists; choose another --out, or replace it with --overwrite`);
}

/**
 * A label of another format as an expression: underscores become spaces.
 * @throws UserError where nothing is left of it, or it would be read as something else
 */
export function expressionOf(label: string): string {
  const text = cleanExpression(label.replace(/[_\s]+/g, ' ')).trim();
  checkedExpression(text);
  return text;
}

/** Mask of a COCO `segmentation`; none without a pixel inside the image. @throws UserError as `annotationToRle` */
export function writtenMasks(segmentation: unknown, { height, width }: Size): WrittenMask[] {
  const rle = annotationToRle(segmentation, height, width);
  if (rle === null || rleArea(rle) === 0) return [];
  // Polygons stay as they are; an encoding, or a list with encodings in it, becomes one.
  if (Array.isArray(segmentation) && segmentation.every((part) => Array.isArray(part))) {
    return [{ polygons: (segmentation as number[][]).filter(isPolygon) }];
  }
  return [{ rle: { size: [height, width], counts: rleToString(rle) } }];
}

/**
 * Writes the file atomically. Paths of images inside its folder are relative, others absolute.
 * @throws UserError where there is no image, or the file cannot be written
 */
export function writeOwnData(out: string, images: readonly ImportedImage[], options: WriteOptions) {
  if (images.length === 0) throw new UserError(`Nothing to write to ${out}: no image with a mask was found.`);
  const random = new Random(options.seed);
  const order = random.shuffle(images.map((_, index) => index));
  // Annotations that are divided already stay so.
  const isDivided = images.some(({ split }) => split !== undefined && split !== null);
  const forVal = new Set(isDivided ? [] : order.slice(0, valCount(images.length, options.val)));
  const splitOf = (image: ImportedImage, index: number): OwnSplit =>
    image.split ?? (forVal.has(index) ? 'val' : 'train');
  const texts = [...new Set(images.flatMap(({ expressions }) => expressions.map(({ text }) => text)))].sort();
  const val = images.filter((image, index) => splitOf(image, index) === 'val').length;
  const counts = { images: images.length, val, expressions: 0, absent: 0 };
  const lines = function* (): Generator<Uint8Array> {
    for (const [index, image] of images.entries()) {
      const absent = absentOf(image, texts, options.absent, random.fork(index));
      counts.expressions += image.expressions.length + absent.length;
      counts.absent += absent.length;
      const { width, height } = image;
      const expressions = [
        ...image.expressions.map(({ text, masks }) => ({ text, mask: masks.length === 1 ? masks[0] : masks })),
        ...absent.map((text) => ({ text, mask: null })),
      ];
      const line = { image: writtenPath(image.path, out), width, height, split: splitOf(image, index), expressions };
      yield Buffer.from(`${JSON.stringify(line)}\n`, 'utf8');
    }
  };
  writeFileAtomic(out, lines());
  return counts;
}

/** Some of both where there are two images. */
function valCount(images: number, share: number): number {
  if (share === 0 || images < 2) return 0;
  return Math.min(Math.max(Math.round(images * share), 1), images - 1);
}

function absentOf(image: ImportedImage, texts: readonly string[], most: number, random: Random): string[] {
  if (most === 0) return [];
  const present = new Set([...(image.annotated ?? []), ...image.expressions.map(({ text }) => text.toLowerCase())]);
  const candidates = image.knownAbsent ?? texts;
  return random.shuffle(candidates.filter((text) => !present.has(text.toLowerCase()))).slice(0, most);
}

function writtenPath(path: string, out: string): string {
  const inside = relative(dirname(resolve(out)), resolve(path));
  const leadsOut = inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside);
  return leadsOut ? resolve(path) : inside.split(sep).join('/');
}
