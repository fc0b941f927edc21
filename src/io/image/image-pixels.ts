/** Pixels of an image file with a known header → 8-bit RGB, turned. */
import type { Sharp } from 'sharp';
import { messageOf } from '../../errors.js';
import type { RgbImage } from '../../types.js';
import { decodeBmp } from './image-bmp.js';
import { filledGif, storedPixels } from './image-gif.js';
import { type ImageHeader, decoderFault, opened } from './image-header.js';
import { type ImageSource, allBytes, imageFailure, turned } from './image-source.js';
import { patchedTiff } from './image-tiff.js';

/** @throws UserError that names the file: damaged or cut off */
export async function decodeImage(source: ImageSource, header: ImageHeader): Promise<RgbImage> {
  const fail = imageFailure(source);
  const { bmp, gif, tiff } = header;
  if (bmp !== null) return decodeBmp(allBytes(source), bmp, fail);
  if (gif !== null) {
    const [stored, needed] = [storedPixels(allBytes(source), gif), gif.width * gif.height];
    if (stored < needed) fail(`it is damaged or cut off (its first frame has ${stored} of ${needed} pixels).`);
  }
  const isRead = tiff === null || tiff.changes.length === 0;
  let image: RgbImage;
  try {
    image = await decoded(opened(isRead ? source : patchedTiff(allBytes(source), tiff.changes)), header);
  } catch (error) {
    image = (await withoutEndMarker(source, header, error)) ?? fail(decoderFault(error));
  }
  return header.turns.reduce(turned, image);
}

/** A JPEG that lacks only its last two bytes, as some cameras and downloads leave it; null where more is wrong. */
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

async function decoded(picture: Sharp, header: ImageHeader): Promise<RgbImage> {
  const { data, info } = await samplesOf(picture, header);
  const { height, width, channels } = info;
  const image = (rgb: Uint8Array): RgbImage => ({ data: rgb, height, width });
  if (header.gif !== null) return image(filledGif(data, height, width, header.gif));
  if (header.isInks) {
    if (channels !== 4) throw new Error(`${channels} channels of ink`);
    return image(inksToRgb(data, header.format === 'tiff'));
  }
  const isColourTiff = header.tiff !== null && header.tiff.kind !== 'grey';
  const bytes = header.is16Bit ? bytesOf(data, isColourTiff) : data;
  if (header.tiff?.kind === 'rgb-alpha' && channels === 4) return image(onBlack(bytes));
  return image(toRgb(bytes, channels));
}

/** Samples as stored, as far as the decoder gives them: no colour space is converted into another. */
async function samplesOf(picture: Sharp, { is16Bit, isInks, gif, tiff }: ImageHeader) {
  // Alpha is left out after decoding, never blended; a TIFF's is needed, and a GIF's says what is open.
  const own = gif !== null ? picture.ensureAlpha() : tiff === null && !isInks ? picture.removeAlpha() : picture;
  if (isInks) own.pipelineColourspace('cmyk').toColourspace('cmyk');
  else if (is16Bit) own.toColourspace('rgb16');
  else own.toColourspace('srgb');
  const raw = is16Bit ? own.raw({ depth: 'ushort' }) : own.raw();
  return raw.toBuffer({ resolveWithObject: true });
}

/** Three channels per pixel from one, three or more; further ones are dropped. */
function toRgb(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const [green, blue] = channels < 3 ? [0, 0] : [1, 2];
  const pixels = data.length / channels;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0, from = 0; i < pixels * 3; i += 3, from += channels) {
    rgb[i] = data[from] as number;
    rgb[i + 1] = data[from + green] as number;
    rgb[i + 2] = data[from + blue] as number;
  }
  return rgb;
}

/**
 * 16-bit samples, which are little-endian, as 8 bits: the upper ones or, as libtiff makes them of a colour TIFF, the
 * nearest, white for white.
 */
function bytesOf(data: Uint8Array, toNearest: boolean): Uint8Array {
  const bytes = new Uint8Array(data.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = data[2 * i + 1] as number;
    bytes[i] = toNearest ? Math.trunc(((data[2 * i] as number) + 256 * high + 128) / 257) : high;
  }
  return bytes;
}

/** RGB from four samples per pixel. @param of a sample and the fourth one of its pixel */
function fromFour(samples: Uint8Array, of: (sample: number, fourth: number) => number): Uint8Array {
  const rgb = new Uint8Array((samples.length / 4) * 3);
  for (let i = 0, from = 0; i < rgb.length; i += 3, from += 4) {
    for (let c = 0; c < 3; c++) rgb[i + c] = of(samples[from + c] as number, samples[from + 3] as number);
  }
  return rgb;
}

/** RGB and alpha of a TIFF as libtiff joins them: the colours on black. */
function onBlack(rgba: Uint8Array): Uint8Array {
  return fromFour(rgba, (colour, alpha) => Math.trunc((colour * alpha + 127) / 255));
}

/**
 * Amounts of ink → RGB.
 * @param inks cyan, magenta, yellow and black per pixel, 255 the most
 * @param isTiff libtiff divides by 255 where OpenCV, for JPEG, shifts by 8 bits
 */
function inksToRgb(inks: Uint8Array, isTiff: boolean): Uint8Array {
  return fromFour(inks, (ink, black) => {
    const light = 255 - black;
    return isTiff ? Math.trunc((light * (255 - ink)) / 255) : light - ((ink * light) >> 8);
  });
}
