/** The next images of a split with their ground truth; what cannot be used is refused by name. */
import type { EvaluatedDataset, EvaluatedTarget, ReferringImage } from '../data/refer/refer-dataset.js';
import { UserError } from '../errors.js';
import { readImage } from '../io/image/image-file.js';
import type { RgbImage } from '../types.js';
import type { Refusal } from './records/record-types.js';

/** Pixels of an image; as many as its file may have. */
const MOST_PIXELS = 100_000_000;
/** Pixels of all true masks of an image, which are held at once: 1 GiB. */
const MOST_TARGET_PIXELS = 2 ** 30;

/** An image of the split and its place there. */
export interface Entry {
  readonly entry: ReferringImage;
  readonly place: number;
}

/** Decoded, with its ground truth; or why it cannot be. */
export type Loaded = Entry &
  (
    | { readonly picture: RgbImage; readonly targets: readonly EvaluatedTarget[]; readonly refusal: null }
    | { readonly picture: null; readonly targets: null; readonly refusal: Refusal }
  );

/**
 * @param mayBeBad refuse an unreadable image instead of throwing a UserError; one that is too large is always refused
 */
export function loadImages(dataset: EvaluatedDataset, entries: readonly Entry[], mayBeBad: (place: number) => boolean) {
  return Promise.all(
    entries.map(async ({ entry, place }): Promise<Loaded> => {
      const refused = (reason: Refusal['reason'], message: string): Loaded => {
        const refusal = { index: null, expression: null, reason, message };
        return { entry, place, picture: null, targets: null, refusal };
      };
      try {
        const tooLarge = sizeRefusal(entry);
        if (tooLarge !== null) return refused('too large', tooLarge);
        const picture = { ...(await readImage(entry.path)), path: entry.path };
        if (picture.height !== entry.height || picture.width !== entry.width) {
          throw new UserError(
            `Evaluating: ${entry.path} is ${picture.height} × ${picture.width} pixels (height × width), the annotations ` +
              `say ${entry.height} × ${entry.width}. Use the images that belong to the annotations.`,
          );
        }
        return { entry, place, picture, targets: dataset.targets(entry), refusal: null };
      } catch (error) {
        if (!(error instanceof UserError) || !mayBeBad(place)) throw error;
        return refused('bad image', error.message);
      }
    }),
  );
}

function sizeRefusal({ path, height, width, expressions }: ReferringImage): string | null {
  const pixels = height * width;
  const masks = pixels * expressions.length;
  if (pixels <= MOST_PIXELS && masks <= MOST_TARGET_PIXELS) return null;
  return (
    `${path} is ${height} × ${width} pixels with ${expressions.length} expressions; at most ${MOST_PIXELS} pixels, ` +
    `and ${MOST_TARGET_PIXELS} of all its masks, are taken`
  );
}
