/**
 * Pictures of a failure in the manner of the paper's Figure 4: the image in its own colours, each target in a colour of
 * its own, and the image darkened where the requested target is absent. Small pictures of a sample's expressions.
 */
import { UserError } from '../../errors.js';
import type { BinaryMask, RgbImage } from '../../types.js';
import type { FailureScene } from './analysis-data.js';
import { displayScale, expressionColor, layersOf, overlayMasks } from './overlay.js';
import type { ReportSample } from './report-data.js';

type ScenePictures = Readonly<Record<'truth' | 'prediction', RgbImage>>;

export async function drawScene({ failure, image, expressions }: FailureScene): Promise<ScenePictures> {
  const backdrop = failure.record.targetIsEmpty ? 'dark' : 'natural';
  const draw = (masks: readonly (BinaryMask | null)[]): Promise<RgbImage> => {
    // The expression that failed comes last, over all others.
    return overlayMasks(image, layersOf(masks).reverse(), { scale: displayScale(image), backdrop });
  };
  return {
    truth: await draw(expressions.map(({ target }) => target)),
    prediction: await draw(
      expressions.map(({ prediction, record }) => (record.answer === 'found' ? prediction : null)),
    ),
  };
}

/** Both next to each other, truth first, with a white strip between them. */
export function nextToEachOther({ truth, prediction }: ScenePictures, gap = 8): RgbImage {
  const { height, width } = truth;
  if (prediction.height !== height) throw new UserError('Drawing a failure: its pictures differ in size.');
  const total = 2 * width + gap;
  const data = new Uint8Array(height * total * 3).fill(255);
  for (let y = 0; y < height; y++) {
    const row = (image: RgbImage): Uint8Array => image.data.subarray(y * width * 3, (y + 1) * width * 3);
    data.set(row(truth), y * total * 3);
    data.set(row(prediction), (y * total + width + gap) * 3);
  }
  return { data, height, width: total };
}

/**
 * Truth and prediction of a failure next to each other; a second row shows the failing expression alone, where others
 * may cover it.
 */
export async function drawSceneSheet(scene: FailureScene): Promise<RgbImage> {
  const together = nextToEachOther(await drawScene(scene));
  if (scene.expressions.length < 2) return together;
  const alone = nextToEachOther(await drawScene({ ...scene, expressions: scene.expressions.slice(0, 1) }));
  const strip = new Uint8Array(8 * together.width * 3).fill(255);
  const data = Buffer.concat([together.data, strip, alone.data]);
  return { data, height: together.height + 8 + alone.height, width: together.width };
}

const [SIDE, GAP, CAPTION_ROW] = [150, 12, 22];
/** More expressions are not shown alone; report.html has all. */
const MOST_TILES = 16;

/**
 * A picture for each expression with its true mask, if any, and its predicted one alone, since masks in one picture hide
 * each other: in rows of at most `width` pixels, placed by offsets in pixels, with a row for the caption above. None for
 * masks of one expression, which hide nothing.
 */
export async function drawTiles({ image, results, targets }: ReportSample, width: number) {
  const masks = results.map(({ mask }, index) => [targets[index]?.mask ?? null, mask] as const);
  const drawable = masks.flatMap((pair, index) => (pair.some(hasPixels) ? [index] : []));
  if (drawable.length < 2) return { tiles: [], height: 0 };
  const longest = Math.max(image.height, image.width);
  const scale = longest > SIDE ? SIDE / longest : displayScale(image, SIDE);
  const draw = (mask: BinaryMask | null, index: number): Promise<RgbImage> => {
    const layers = mask === null ? [] : [{ mask, color: expressionColor(index) }];
    return overlayMasks(image, layers, { scale });
  };
  const pictures: RgbImage[] = [];
  for (const index of drawable.slice(0, MOST_TILES)) {
    const [target, predicted] = masks[index] as (typeof masks)[number];
    const prediction = await draw(predicted, index);
    const isKnown = targets.length > 0;
    pictures.push(isKnown ? nextToEachOther({ truth: await draw(target, index), prediction }, 2) : prediction);
  }
  const { height: tileHeight, width: tileWidth } = pictures[0] as RgbImage;
  const columns = Math.max(1, Math.floor((width + GAP) / (tileWidth + GAP)));
  const row = CAPTION_ROW + tileHeight + GAP;
  const tiles = pictures.map((picture, place) => {
    const index = drawable[place] as number;
    const [left, top] = [(place % columns) * (tileWidth + GAP), Math.floor(place / columns) * row];
    const caption = results[index]?.expression ?? '';
    return { caption, color: expressionColor(index), image: picture, left, top };
  });
  return { tiles, height: Math.ceil(tiles.length / columns) * row };
}

function hasPixels(mask: BinaryMask | null): boolean {
  return mask?.data.some((value) => value !== 0) ?? false;
}
