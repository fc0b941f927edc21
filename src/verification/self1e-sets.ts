/**
 * A validation set of SELF1E's recording from the facts of the dataset: questions, pixels of the pictures, overlaps with
 * the targets and the figures of the set.
 */
import { decodeMask, type Rle, rleFromString } from '../data/masks/coco-mask.js';
import { lisaFigures } from '../evaluation/figures.js';
import { type MaskOverlap, maskOverlap } from '../evaluation/metrics/mask-overlap.js';
import type { EvaluatedTarget, ReferringImage } from '../data/refer/refer-dataset.js';
import type { Predictor } from '../inference/predictor.js';
import { readImage } from '../io/image/image-file.js';
import type { JsonReader } from '../io/json/json-reader.js';
import { openRecordedSplit, recordedPath } from './datasets-recorded.js';
import { pair } from './model-case.js';
import type { Self1eCase } from './self1e-case.js';
import { conversationsOf } from './self1e-texts.js';
import { textOf } from './self1e-words.js';
import { itemsOf, largestDifference, Mismatches, toleranceItem, type VerifyItem, Worst } from './verify-item.js';

const FIGURE_TOLERANCE = 1e-6;
const PIXEL_TOLERANCE = 1e-6;

interface RecordedSet {
  /** As the recording calls it. */
  readonly set: string;
  readonly place: JsonReader;
  readonly dataDir: string;
}

export async function verifySelf1eSet(
  predictor: Predictor,
  recorded: Self1eCase,
  { set, place, dataDir }: RecordedSet,
): Promise<VerifyItem[]> {
  const dataset = await openRecordedSplit(set, dataDir, { honourIgnore: true, asWritten: true });
  const words = new Mismatches(`${set}: questions`);
  const counts = new Mismatches(`${set}: intersections and unions`);
  const pixels = new Worst(`${set}: pixels of the pictures`, PIXEL_TOLERANCE, 'normalised');
  const all: MaskOverlap[] = [];
  for (const picture of place.key('images').array()) {
    const path = picture.key('image').string();
    const image = dataset.images.find((each) => recordedPath(dataDir, each.path) === path);
    words.compare('picture', image === undefined ? 'none' : path, path);
    if (image === undefined) continue;
    const targets = dataset.targets(image);
    words.compare(`questions about ${path}`, questions(predictor, targets).join(''), conversationsOf(picture).join(''));
    pixels.add(path, await pixelError(predictor, recorded, picture, image));
    const overlaps = targets.map((target, i) => overlapOf(recordedMasks(picture)[i], target));
    counts.compare(
      `intersections of ${path}`,
      overlaps.map(({ intersection }) => intersection),
      picture.key('intersection').numbers(),
    );
    counts.compare(
      `unions of ${path}`,
      overlaps.map(({ union }) => union),
      picture.key('union').numbers(),
    );
    all.push(...overlaps);
  }
  const figures = Object.entries(lisaFigures(all)).map(([figure, value]) => {
    const expected = place.key(figure.toLowerCase()).number();
    const detail = `${(value ?? NaN).toFixed(7)}, expected ${expected.toFixed(7)}`;
    return toleranceItem(`${set}: ${figure}`, largestDifference([value ?? NaN], [expected]), FIGURE_TOLERANCE, detail);
  });
  return [...itemsOf(words, pixels, counts), ...figures];
}

/** Masks of a recorded picture at its own size. */
export function recordedMasks(place: JsonReader): Rle[] {
  const [height, width] = pair(place.key('size'));
  return place
    .key('masks')
    .array()
    .map((counts) => rleFromString(counts.string(), height, width));
}

function questions({ asking }: Predictor, targets: readonly EvaluatedTarget[]): string[] {
  return targets.flatMap(({ expression, form }) => {
    return asking.dialogue.exam([expression], ['found'], form ?? 'reference').map(({ turn }) => textOf([turn]));
  });
}

/** A recorded mask, which ours equals but for pixels near 0, against our target. */
function overlapOf(mask: Rle | undefined, { mask: target, ignored }: EvaluatedTarget): MaskOverlap {
  if (mask === undefined) return { intersection: NaN, union: NaN, predictedArea: NaN, targetArea: NaN };
  return maskOverlap(decodeMask(mask), target, ignored);
}

/** Largest difference of a picture as we read it from the recorded input. */
async function pixelError(
  predictor: Predictor,
  recorded: Self1eCase,
  place: JsonReader,
  { path }: ReferringImage,
): Promise<number> {
  const name = `${place.key('tensors').string()}.`;
  const expected = recorded.pictures(recorded.layout(name).pixels);
  try {
    const { inputs } = predictor.prepare({ ...(await readImage(path)), path });
    return largestDifference(inputs['vit'] as Float32Array, await expected.data<'float32'>());
  } finally {
    expected.dispose();
  }
}
