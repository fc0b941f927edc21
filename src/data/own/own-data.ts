/**
 * A user's own data (docs/your-data.md) for training and evaluation, with the interface of `ReferDataset`; and its check
 * down to the pixel: sizes of images, masks with nothing inside.
 */
import { basename } from 'node:path';
import { messageOf, UserError } from '../../errors.js';
import { readImageSize } from '../../io/image/image-file.js';
import { gsvaCommand } from '../../program.js';
import { type TrainingSet, trainingSet } from '../facts.js';
import { sizeMismatch } from '../image/size-mismatch.js';
import { type MaskSource, unionOfSources } from '../masks/coco-mask-annotation.js';
import { type Rle, rleArea, rleToString } from '../masks/coco-mask.js';
import {
  LazyExpression,
  type ReferDataset,
  type ReferRequest,
  type ReferringImage,
  referringTarget,
} from '../refer/refer-dataset.js';
import { type OwnImage, OwnProblems, placeOf, readOwnFile } from './own-data-file.js';
import { OWN_SPLITS, type OwnSplit } from './own-data-line.js';

/** Number of reported problems before the advice. */
const TOLD_PROBLEMS = 3;

/** Images in the order of the file; `imageId` is the number of the line. */
export interface OwnData extends Pick<ReferDataset, 'images' | 'targets'>, TrainingSet<ReferRequest> {
  /** Whether the file names the split of any image. */
  readonly hasSplits: boolean;
}

/**
 * Reads the lines of one split. A file without splits serves as any split.
 * @throws UserError with the first problems of the file, if it has any, or where this split is empty
 */
export async function openOwnData(file: string, split: OwnSplit): Promise<OwnData> {
  const problems = new OwnProblems(TOLD_PROBLEMS);
  const { images: all, hasSplits } = await readOwnFile(file, problems);
  if (problems.total > 0) {
    const more = problems.total > TOLD_PROBLEMS ? ` And ${problems.total - TOLD_PROBLEMS} more.` : '';
    const told = problems.first.map(({ message }) => message).join(' ');
    throw new UserError(`${told}${more} \`${gsvaCommand(`data validate ${file}`)}\` shows all and checks the masks.`);
  }
  if (all.length === 0) throw new UserError(`${file}: there is no line in it; see docs/your-data.md.`);
  const own = hasSplits ? all.filter((image) => image.split === split) : all;
  if (own.length === 0) {
    const counts = OWN_SPLITS.map((name) => `${name} ${all.filter((image) => image.split === name).length}`);
    throw new UserError(
      `${file}: no line has "split": "${split}" (${counts.join(', ')}). Give some images this split, or choose another.`,
    );
  }
  /** By annotation id. */
  const masks: MaskSource[] = [];
  const masksOf = (ids: readonly number[]): MaskSource[] => ids.map((id) => masks[id] as MaskSource);
  type Place = Omit<ReferringImage, 'expressions'>;
  const unionOf = ({ imageId, fileName, height, width }: Place, ids: readonly number[], line = imageId): Rle =>
    unionOfSources(masksOf(ids), height, width, `${placeOf(file, line)}: ${fileName}`);
  const images = own.map(({ line, image, path, height, width, expressions }): ReferringImage => {
    const place = { imageId: line, fileName: image, path, height, width };
    return {
      ...place,
      expressions: expressions.map(({ line: ownLine, text, masks: sources }) => {
        const ids = sources.map((mask) => masks.push(mask) - 1);
        // In lower case but in training, as the published sets.
        const cased = split === 'train' ? text : text.toLowerCase();
        return new LazyExpression(cased, ids, () => unionOf(place, ids, ownLine));
      }),
    };
  });
  const set = trainingSet<ReferringImage, ReferRequest>(basename(file), 'refer_seg', images, (image) => {
    const { imageId, path, height, width } = image;
    const origin = placeOf(file, imageId);
    const expressions = image.expressions.map(({ text, annotationIds }) => {
      return { text, masks: masksOf(annotationIds).map((mask) => ('png' in mask ? mask : { ...mask, origin })) };
    });
    return { image: path, height, width, expressions };
  });
  const targets: OwnData['targets'] = (image) =>
    image.expressions.map(({ text, annotationIds }) => referringTarget(text, unionOf(image, annotationIds)));
  return { ...set, images, hasSplits, targets };
}

/**
 * Reads every line, the header of every image, every mask. Lines with problems do not count.
 * @param shownProblems number of problems kept with their text
 * @throws UserError where the file itself cannot be read
 */
export async function checkOwnData(
  file: string,
  shownProblems: number,
  onProgress: (done: number, total: number) => void = () => undefined,
) {
  const problems = new OwnProblems(shownProblems);
  const { images } = await readOwnFile(file, problems);
  const sound: OwnImage[] = [];
  for (const [index, image] of images.entries()) {
    onProgress(index, images.length);
    const faults = await faultsOf(image);
    for (const { line, fault } of faults) problems.add(line, `${placeOf(file, line)}: ${image.image}: ${fault}`);
    if (faults.length === 0) sound.push(image);
  }
  onProgress(images.length, images.length);
  return { splits: countsBySplit(sound), problems };
}

/** Counts of each split that has images, in the order train, val, test. */
export function countsBySplit(images: readonly OwnImage[]) {
  const splits = OWN_SPLITS.map((split) => ({ split, ...countsOf(images.filter((image) => image.split === split)) }));
  return splits.filter((counts) => counts.images > 0);
}

/** Each with the line that has it. */
async function faultsOf({ line, path, height, width, sizeLine, expressions }: OwnImage) {
  try {
    const fault = await sizeMismatch(path, await readImageSize(path), { height, width }, 'the line says');
    if (fault !== null) return [{ line: sizeLine, fault: `${fault}.` }];
  } catch (error) {
    return [{ line, fault: told(error) }];
  }
  const faults: { line: number; fault: string }[] = [];
  const byWords = new Map<string, string>();
  for (const { line: own, text, masks } of expressions) {
    try {
      if (masks.length === 0) continue;
      const rle = unionOfSources(masks, height, width, JSON.stringify(text));
      if (rleArea(rle) === 0) {
        const fault = `the mask of ${JSON.stringify(text)} has no pixel inside the image; null says "not here".`;
        faults.push({ line: own, fault });
      }
      const mask = rleToString(rle);
      const earlier = byWords.get(text.toLowerCase());
      byWords.set(text.toLowerCase(), earlier ?? mask);
      if (earlier === undefined || earlier === mask) continue;
      // Each mask of the same words teaches that the other one is background.
      const fault =
        `${JSON.stringify(text)} stands twice with different masks; give one mask with both (a list), or words that ` +
        'tell them apart.';
      faults.push({ line: own, fault });
    } catch (error) {
      faults.push({ line: own, fault: told(error) });
    }
  }
  return faults;
}

/** @throws errors other than those of the user's files */
function told(error: unknown): string {
  if (error instanceof UserError) return messageOf(error);
  throw error;
}

function countsOf(images: readonly OwnImage[]) {
  const expressions = images.flatMap((image) => image.expressions);
  const partsOf = (mask: MaskSource): number =>
    'segmentation' in mask && Array.isArray(mask.segmentation) ? mask.segmentation.length : 1;
  return {
    images: images.length,
    expressions: expressions.length,
    /** Whose mask is of several polygons, encodings or files. */
    multiPart: expressions.filter(({ masks }) => masks.reduce((sum, mask) => sum + partsOf(mask), 0) > 1).length,
    /** Expressions without an object in the image. */
    absent: expressions.filter(({ masks }) => masks.length === 0).length,
  };
}
