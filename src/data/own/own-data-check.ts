/** Checks a file of a user's own data down to the pixel: sizes of images, masks with nothing inside. */
import { UserError, messageOf } from '../../errors.js';
import { readImageSize } from '../../io/image/image-file.js';
import { rleArea, rleToString } from '../masks/coco-mask.js';
import { sizeMismatch } from '../image/size-mismatch.js';
import { type MaskSource, unionOfSources } from '../masks/coco-mask-annotation.js';
import { type OwnImage, OwnProblems, placeOf, readOwnFile } from './own-data-file.js';
import { OWN_SPLITS, type OwnSplit } from './own-data-line.js';

interface OwnSummary {
  /** Each present split in the order train, val, test. */
  readonly splits: readonly (ReturnType<typeof countsOf> & { readonly split: OwnSplit })[];
  readonly problems: OwnProblems;
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
): Promise<OwnSummary> {
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
export function countsBySplit(images: readonly OwnImage[]): OwnSummary['splits'] {
  const splits = OWN_SPLITS.map((split) => ({ split, ...countsOf(images.filter((image) => image.split === split)) }));
  return splits.filter((counts) => counts.images > 0);
}

/** A fault, with the line that has it. */
interface Fault {
  readonly line: number;
  readonly fault: string;
}

async function faultsOf({ line, path, height, width, sizeLine, expressions }: OwnImage): Promise<Fault[]> {
  try {
    const fault = await sizeMismatch(path, await readImageSize(path), { height, width }, 'the line says');
    if (fault !== null) return [{ line: sizeLine, fault: `${fault}.` }];
  } catch (error) {
    return [{ line, fault: told(error) }];
  }
  const faults: Fault[] = [];
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
  return {
    images: images.length,
    expressions: expressions.length,
    /** Whose mask is of several polygons, encodings or files. */
    multiPart: expressions.filter(({ masks }) => masks.reduce((sum, mask) => sum + partsOf(mask), 0) > 1).length,
    /** Expressions without an object in the image. */
    absent: expressions.filter(({ masks }) => masks.length === 0).length,
  };
}

function partsOf(mask: MaskSource): number {
  return 'segmentation' in mask && Array.isArray(mask.segmentation) ? mask.segmentation.length : 1;
}
