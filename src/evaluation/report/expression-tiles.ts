/**
 * Small pictures of a sample, one per expression with its true and predicted mask alone, since masks in one picture
 * hide each other.
 */
import type { BinaryMask, RgbImage } from '../../types.js';
import { overlayMasks } from './overlay.js';
import { expressionColor, hexColor } from './palette.js';
import type { ReportSample } from './report-data.js';
import { nextToEachOther } from './scene-pictures.js';
import { displayScale } from './enlarge.js';

export interface ExpressionTile {
  readonly caption: string;
  readonly color: string;
  /** The truth, if any, and the prediction. */
  readonly image: RgbImage;
  /** Offset of the tile within all tiles, in pixels; the caption's row comes first. */
  readonly left: number;
  readonly top: number;
}

const [SIDE, GAP, CAPTION_ROW] = [150, 12, 22];
/** More expressions are not shown alone; report.html has all. */
const MOST_TILES = 16;

/** The tiles in rows of at most `width` pixels; none for masks of one expression, which hide nothing. */
export function drawTiles(
  sample: ReportSample,
  width: number,
): { readonly tiles: ExpressionTile[]; readonly height: number } {
  const { results, targets } = sample;
  const masks = results.map(({ mask }, index) => [targets[index]?.mask ?? null, mask] as const);
  const drawable = masks.flatMap((pair, index) => (pair.some(hasPixels) ? [index] : []));
  if (drawable.length < 2) return { tiles: [], height: 0 };
  const small = shrunk(sample.image);
  const pictures = drawable.slice(0, MOST_TILES).map((index) => {
    const [truth, prediction] = masks[index] as readonly [BinaryMask | null, BinaryMask | null];
    const draw = (mask: BinaryMask | null): RgbImage => {
      const layers = mask === null ? [] : [{ mask: small.mask(mask), color: expressionColor(index) }];
      return overlayMasks(small.image, layers, { scale: small.scale });
    };
    const image =
      targets.length === 0
        ? draw(prediction)
        : nextToEachOther({ truth: draw(truth), prediction: draw(prediction) }, 2);
    return { index, image };
  });
  const first = pictures[0]?.image ?? small.image;
  const columns = Math.max(1, Math.floor((width + GAP) / (first.width + GAP)));
  const row = CAPTION_ROW + first.height + GAP;
  const tiles = pictures.map(({ index, image }, place) => ({
    caption: results[index]?.expression ?? '',
    color: hexColor(expressionColor(index)),
    image,
    left: (place % columns) * (first.width + GAP),
    top: Math.floor(place / columns) * row,
  }));
  return { tiles, height: Math.ceil(tiles.length / columns) * row };
}

function hasPixels(mask: BinaryMask | null): boolean {
  return mask?.data.some((value) => value !== 0) ?? false;
}

/**
 * An image of about SIDE pixels, by taking every n-th pixel of a large one, and the factor that enlarges a small one.
 */
function shrunk(image: RgbImage): {
  readonly image: RgbImage;
  readonly scale: number;
  readonly mask: (mask: BinaryMask) => BinaryMask;
} {
  const step = Math.max(1, Math.ceil(Math.max(image.height, image.width) / SIDE));
  const [height, width] = [Math.ceil(image.height / step), Math.ceil(image.width / step)];
  const thinned = (data: Uint8Array, channels: number): Uint8Array => {
    const out = new Uint8Array(height * width * channels);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = (y * step * image.width + x * step) * channels;
        for (let c = 0; c < channels; c++) out[(y * width + x) * channels + c] = data[from + c] as number;
      }
    }
    return out;
  };
  const small = { data: thinned(image.data, 3), height, width };
  return {
    image: small,
    scale: displayScale(small, SIDE),
    mask: (mask) => ({ data: thinned(mask.data, 1), height, width }),
  };
}
