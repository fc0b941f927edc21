/** The checked header of an image file: kind, size and orientation. */
import sharp, { type Metadata, type Sharp } from 'sharp';
import { messageOf } from '../../errors.js';
import { avifTurns } from './image-avif.js';
import { type BmpHeader, readBmpHeader } from './image-bmp.js';
import { type GifFrame, gifFrame } from './image-gif.js';
import { jpegOrientation, pngOrientation, webpOrientation } from './image-orientation.js';
import {
  type ImageBytes,
  type ImageFailure,
  type ImageSource,
  checkPixels,
  imageFailure,
  swapsSides,
  withImageBytes,
} from './image-source.js';
import { type TiffTraits, tiffTraits } from './image-tiff.js';
import { describeStandInAt } from '../byte-source.js';
import { describeStandIn } from '../file-kind.js';

// One thread per image: the models use the cores. No cache: a file may change under the same name.
sharp.concurrency(1);
sharp.cache(false);

/** Formats that are read; sharp also knows drawings (SVG, PDF), which could reach for other files. */
type SharpFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'heif';
const FORMATS: readonly string[] = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif'] satisfies SharpFormat[];
const TIFF_STARTS: readonly string[] = ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'];
/** First bytes of the formats, for files that the decoder cannot read. */
const STARTS = /^(\xff\xd8\xff|\x89PNG\r\n|RIFF.{4}WEBP|GIF8[79]a|II\*\0|MM\0\*|II\+\0|MM\0\+|.{4}ftypavi[fs])/s;
/** First brands of files compressed as HEVC, which the decoder does not support. */
const HEIC_BRANDS = /^(heic|heix|heim|heis|hevc|hevx|hevm|hevs)$/;

export interface ImageHeader {
  readonly format: SharpFormat | 'bmp';
  /** Upright. */
  readonly height: number;
  readonly width: number;
  /** Stated orientation, 1 to 8. */
  readonly orientation: number;
  /** Orientations to apply to the decoded pixels, in order. */
  readonly turns: readonly number[];
  /** Samples are 16-bit numbers, and inks instead of colours; false for BMP. */
  readonly is16Bit: boolean;
  readonly isInks: boolean;
  /** Whether the picture is whole where the data end: a JPEG in one pass. */
  readonly isBaselineJpeg: boolean;
  readonly bmp: BmpHeader | null;
  readonly gif: GifFrame | null;
  readonly tiff: TiffTraits | null;
}

/**
 * The decoder, with its conversions of colours and orientation switched off.
 * @param failOn 'warning' to fail for the smallest fault
 */
export function opened(source: ImageSource, failOn: 'error' | 'warning' = 'error'): Sharp {
  return sharp(source, { limitInputPixels: false, failOn, ignoreIcc: true });
}

/** @throws UserError that names the file: missing, not an image of a kind that is read, too large */
export async function readImageHeader(source: ImageSource): Promise<ImageHeader> {
  const fail = imageFailure(source);
  // Both before the decoder, which knows no BMP and has only general words for a TIFF that it cannot read.
  const { bmp, tiff } = withImageBytes(source, (bytes) => {
    const start = bytes.at(0, 4).toString('latin1');
    return {
      bmp: start.startsWith('BM') ? readBmpHeader(bytes, fail) : null,
      tiff: TIFF_STARTS.includes(start) ? tiffTraits(bytes, fail) : null,
    };
  });
  if (bmp !== null) {
    const none = { is16Bit: false, isInks: false, isBaselineJpeg: false, gif: null, tiff: null };
    return { ...none, format: 'bmp', height: bmp.height, width: bmp.width, orientation: 1, turns: [], bmp };
  }
  const metadata = await metadataOf(source, fail);
  const { width, height, depth, space } = metadata;
  checkPixels(width, height, fail);
  const format = metadata.format as SharpFormat;
  const found = withImageBytes(source, (bytes) => foundIn(bytes, format, tiff));
  if (found.gif !== null) checkFrame(found.gif, width, height, fail);
  const isTurned = found.turns.filter(swapsSides).length % 2 === 1;
  return {
    ...found,
    bmp,
    format,
    height: isTurned ? width : height,
    width: isTurned ? height : width,
    is16Bit: depth === 'ushort' || (format === 'tiff' && depth === 'short'),
    isInks: space === 'cmyk',
    isBaselineJpeg: format === 'jpeg' && !metadata.isProgressive,
  };
}

async function metadataOf(source: ImageSource, fail: ImageFailure): Promise<Metadata> {
  let metadata: Metadata;
  try {
    metadata = await opened(source).metadata();
  } catch (error) {
    const standIn = typeof source === 'string' ? describeStandInAt(source) : describeStandIn(source);
    if (standIn !== null && !standIn.startsWith('it is empty')) return fail(`${standIn}.`);
    const start = withImageBytes(source, (bytes) => bytes.at(0, 12).toString('latin1'));
    if (start.slice(4, 8) === 'ftyp' && HEIC_BRANDS.test(start.slice(8))) return fail(notHeic('hevc'));
    if (STARTS.test(start)) return fail(decoderFault(error));
    return fail(
      `${firstLine(error)}. Is it a JPEG, PNG, WebP, GIF, TIFF, AVIF or BMP file? If not, convert it to one of these.`,
    );
  }
  const { format, compression } = metadata;
  if (!FORMATS.includes(format)) return fail(`${format} is not supported; convert it to JPEG or PNG.`);
  if (format === 'heif' && compression !== 'av1') return fail(notHeic(compression ?? 'unknown'));
  return metadata;
}

function notHeic(compression: string): string {
  return `HEIC (compressed as ${compression}) is not supported; convert it to JPEG or PNG.`;
}

type Found = Pick<ImageHeader, 'turns' | 'orientation' | 'gif' | 'tiff'>;

function foundIn(bytes: ImageBytes, format: SharpFormat, tiff: TiffTraits | null): Found {
  const stated = (orientation: number): Found => ({
    orientation,
    turns: orientation === 1 ? [] : [orientation],
    gif: null,
    tiff: null,
  });
  if (format === 'jpeg') return stated(jpegOrientation(bytes));
  if (format === 'png') return stated(pngOrientation(bytes));
  if (format === 'webp') return stated(webpOrientation(bytes));
  if (format === 'gif') return { ...stated(1), gif: gifFrame(bytes) };
  if (format === 'heif') {
    const { undo, exif } = avifTurns(bytes);
    return { ...stated(exif), turns: [...undo, ...(exif === 1 ? [] : [exif])] };
  }
  return { ...stated(tiff?.orientation ?? 1), tiff };
}

function checkFrame(frame: GifFrame, width: number, height: number, fail: ImageFailure): void {
  if (frame.isWithoutColours) fail('it is a GIF without a table of colours; convert it to PNG.');
  if (frame.left + frame.width > frame.screenWidth || frame.top + frame.height > frame.screenHeight) {
    fail('it is a GIF whose first frame lies partly outside of the picture; convert it to PNG.');
  }
  if (width !== frame.screenWidth || height !== frame.screenHeight) {
    fail(`it is a GIF of ${frame.screenWidth} x ${frame.screenHeight} pixels with larger frames; convert it to PNG.`);
  }
}

/** The decoder's fault with a file, in the words of the library. */
export function decoderFault(error: unknown): string {
  const line = firstLine(error);
  // "Unsupported JPEG data precision 12": a sound file of a rare kind.
  if (/unsupported/i.test(line)) return `it is of a kind that is not supported (${line}); convert it to JPEG or PNG.`;
  return `it is damaged or cut off (${line}).`;
}

/** sharp's messages go over several lines and end in full stops. */
function firstLine(error: unknown): string {
  return messageOf(error).split('\n', 1).join('').replace(/\.$/, '');
}
