/** Masks over a picture as a PNG: for programs that use the library. */
import { encodePng, readImage } from '../../io/image/image-file.js';
import type { BinaryMask, RgbImage } from '../../types.js';
import { type Backdrop, overlayMasks } from './overlay.js';
import { expressionColor } from './palette.js';

export interface OverlayOptions {
  /** 'pale' (the default): the picture fades to grey; 'natural': it keeps its colours; 'dark': it turns dark. */
  readonly backdrop?: Backdrop;
}

/**
 * Draws each mask over a picture, tinted and outlined in a colour of its own, as `gsva segment --out` does.
 * @param image path, bytes of a file, or 8-bit RGB pixels row by row
 * @param masks at the picture's size; one that is null keeps its colour unused
 * @returns the bytes of a PNG file of the picture's size
 * @throws UserError where the picture cannot be read or a mask has another size
 */
export async function drawOverlay(
  image: string | Uint8Array | RgbImage,
  masks: readonly (BinaryMask | null)[],
  { backdrop = 'pale' }: OverlayOptions = {},
): Promise<Uint8Array> {
  const picture = typeof image === 'string' || image instanceof Uint8Array ? await readImage(image) : image;
  const layers = masks.flatMap((mask, index) => (mask === null ? [] : [{ mask, color: expressionColor(index) }]));
  return new Uint8Array(await encodePng(overlayMasks(picture, layers, { backdrop })));
}
