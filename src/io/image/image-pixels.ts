/** The pixels of an image file whose header was read → 8-bit RGB, turned. */
import type { Sharp } from 'sharp';
import { messageOf } from '../../errors.js';
import type { RgbImage } from '../../types.js';
import { decodeBmp } from './image-bmp.js';
import { inksToRgb, nearestBytes, onBlack, toRgb, upperBytes } from './image-colours.js';
import { filledGif, storedPixels } from './image-gif.js';
import { type ImageHeader, decoderFault, opened } from './image-header.js';
import { type ImageSource, allBytes, imageFailure } from './image-source.js';
import { patchedTiff } from './image-tiff.js';
import { turned } from './image-turn.js';

interface Samples {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** @throws UserError that names the file: damaged or cut off */
export async function decodeImage(source: ImageSource, header: ImageHeader): Promise<RgbImage> {
  const fail = imageFailure(source);
  if (header.bmp !== null) return decodeBmp(allBytes(source), header.bmp, fail);
  checkWhole(source, header);
  let image: RgbImage;
  try {
    image = await decoded(opened(asDecoderReads(source, header)), header);
  } catch (error) {
    image = (await withoutEndMarker(source, header, error)) ?? fail(decoderFault(error));
  }
  return header.turns.reduce(turned, image);
}

/** A JPEG that lacks nothing but its last two bytes, as some cameras and downloads leave it; null where more is wrong. */
async function withoutEndMarker(source: ImageSource, header: ImageHeader, error: unknown): Promise<RgbImage | null> {
  if (!header.isBaselineJpeg || !/premature end/i.test(messageOf(error))) return null;
  const ended = Buffer.concat([allBytes(source), Buffer.of(0xff, 0xd9)]);
  try {
    // Missing pixels are a warning now.
    return await decoded(opened(ended, 'warning'), header);
  } catch {
    return null;
  }
}

/** @throws UserError for a GIF whose first frame has too few pixels */
function checkWhole(source: ImageSource, { gif }: ImageHeader): void {
  if (gif === null) return;
  const [stored, needed] = [storedPixels(allBytes(source), gif), gif.width * gif.height];
  if (stored < needed) {
    imageFailure(source)(`it is damaged or cut off (its first frame has ${stored} of ${needed} pixels).`);
  }
}

function asDecoderReads(source: ImageSource, { tiff }: ImageHeader): ImageSource {
  return tiff === null || tiff.changes.length === 0 ? source : patchedTiff(allBytes(source), tiff.changes);
}

async function decoded(picture: Sharp, header: ImageHeader): Promise<RgbImage> {
  const { data, height, width, channels } = await samplesOf(picture, header);
  const image = (rgb: Uint8Array): RgbImage => ({ data: rgb, height, width });
  if (header.gif !== null) return image(filledGif(data, height, width, header.gif));
  if (header.isInks) {
    if (channels !== 4) throw new Error(`${channels} channels of ink`);
    return image(inksToRgb(data, header.format === 'tiff'));
  }
  const isColourTiff = header.tiff !== null && header.tiff.kind !== 'grey';
  const bytes = !header.is16Bit ? data : isColourTiff ? nearestBytes(data) : upperBytes(data);
  if (header.tiff?.kind === 'rgb-alpha' && channels === 4) return image(onBlack(bytes));
  return image(toRgb(bytes, channels));
}

/** Samples as they are stored, as far as the decoder gives them: no colour space is converted into another. */
async function samplesOf(picture: Sharp, { is16Bit, isInks, gif, tiff }: ImageHeader): Promise<Samples> {
  // Alpha is left out after decoding, never blended; a TIFF's is needed, and a GIF's says what is open.
  const own = gif !== null ? picture.ensureAlpha() : tiff === null && !isInks ? picture.removeAlpha() : picture;
  if (isInks) own.pipelineColourspace('cmyk').toColourspace('cmyk');
  else if (is16Bit) own.toColourspace('rgb16');
  else own.toColourspace('srgb');
  const raw = is16Bit ? own.raw({ depth: 'ushort' }) : own.raw();
  const { data, info } = await raw.toBuffer({ resolveWithObject: true });
  return { data, height: info.height, width: info.width, channels: info.channels };
}
