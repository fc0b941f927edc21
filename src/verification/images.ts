/**
 * Image decoding and transforms against recorded pictures of OpenCV and Pillow (expected.json, X.{clip,sam}SIZE.png).
 */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { clipTransform, resizeForClip, resizeForSam } from '../data/image/image-transforms.js';
import { UserError, messageOf } from '../errors.js';
import { readImage } from '../io/image/image-file.js';
import { readJson } from '../io/json/json-file.js';
import { JsonReader } from '../io/json/json-reader.js';
import type { RgbImage } from '../types.js';
import { largestDifference, toleranceItem, type VerifyItem } from './verify-item.js';

/** Pictures that are not kept with the sources; they are left out where they are absent. */
const PHOTOGRAPHS: readonly string[] = ['dog.jpg', 'truck.jpg', 'groceries.jpg'];
/** Largest difference in grey levels: JPEG decoders differ by a few, PNG decoders do not. */
const PNG_LEVELS = 1;
const JPEG_LEVELS = 3;
/** Mean difference in grey levels, of any picture. */
const MEAN_LEVELS = 0.2;
/** Tolerance of normalised values where decoding is exact: float32 rounding. */
const NORMALISED = 1e-5;
/** A grey level in normalised values: 1 / 255 / the smallest of CLIP's standard deviations. */
const NORMALISED_LEVEL = 1 / 255 / 0.2613;

/** @param dir with expected.json, images and pictures @throws UserError when expected.json is missing or malformed */
export async function verifyImages(dir: string): Promise<VerifyItem[]> {
  const path = join(dir, 'expected.json');
  const items: VerifyItem[] = [];
  for (const [name, expected] of JsonReader.of(readJson(path, 'recorded image results'), path).entries()) {
    const file = join(dir, name);
    if (!existsSync(file) && PHOTOGRAPHS.includes(name)) continue;
    try {
      items.push(...(await verifyImage(file, name, expected)));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      items.push(toleranceItem(name, Infinity, 0, messageOf(error)));
    }
  }
  return items;
}

async function verifyImage(file: string, name: string, expected: JsonReader): Promise<VerifyItem[]> {
  const isPng = extname(name) === '.png';
  const image = await readImage(file);
  const size = [expected.key('height').integer(), expected.key('width').integer()];
  const sizeError = largestDifference([image.height, image.width], size);
  const clipPicture = pictureOf(file, 'clip');
  const samPicture = pictureOf(file, 'sam');
  const sam = resizeForSam(image, samPicture.size);
  const samSize = expected.key(`sam${samPicture.size}`).numbers();
  const clip = clipTransform(image, clipPicture.size).data;
  const { mean, deviation } = statistics(clip);
  const meanTolerance = isPng ? NORMALISED : MEAN_LEVELS * NORMALISED_LEVEL;
  const cornerTolerance = isPng ? NORMALISED : JPEG_LEVELS * NORMALISED_LEVEL;
  const meanError = largestDifference(channelMeans(image), expected.key('mean_rgb').numbers());
  const cornerError = largestDifference(clip.subarray(0, 3), expected.key('clip_corner').numbers());
  return [
    toleranceItem(`${name}: size`, sizeError, 0, `${image.height} x ${image.width}`),
    toleranceItem(`${name}: mean colour`, meanError, isPng ? NORMALISED : MEAN_LEVELS),
    toleranceItem(`${name}: size for F_V2`, largestDifference([sam.height, sam.width], samSize), 0),
    ...(await verifyPicture(`${name}: F_V2 picture`, sam, samPicture.path, isPng)),
    ...(await verifyPicture(`${name}: F_V1 picture`, resizeForClip(image, clipPicture.size), clipPicture.path, isPng)),
    toleranceItem(`${name}: F_V1 mean`, Math.abs(mean - expected.key('clip_mean').number()), meanTolerance),
    toleranceItem(`${name}: F_V1 deviation`, Math.abs(deviation - expected.key('clip_std').number()), meanTolerance),
    toleranceItem(`${name}: F_V1 upper left`, cornerError, cornerTolerance),
  ];
}

/** The picture that was recorded for an encoder, and the size of the transform, both by its name: X.clip224.png. */
function pictureOf(file: string, encoder: 'clip' | 'sam'): { readonly path: string; readonly size: number } {
  const prefix = `${basename(file)}.${encoder}`;
  for (const name of readdirSync(dirname(file))) {
    const size = /^(\d+)\.png$/.exec(name.startsWith(prefix) ? name.slice(prefix.length) : '')?.[1];
    if (size !== undefined) return { path: join(dirname(file), name), size: Number(size) };
  }
  throw new UserError(`${file}: its recorded picture ${prefix}SIZE.png is missing; copy the whole folder again`);
}

/** Largest and mean difference from a recorded picture. */
async function verifyPicture(name: string, ours: RgbImage, file: string, isPng: boolean): Promise<VerifyItem[]> {
  const theirs = await readImage(file);
  if (theirs.height !== ours.height || theirs.width !== ours.width) {
    const sizes = `${ours.height} x ${ours.width} instead of ${theirs.height} x ${theirs.width}`;
    return [toleranceItem(name, Infinity, 0, sizes)];
  }
  const most = largestDifference(ours.data, theirs.data);
  const sum = ours.data.reduce((total, value, i) => total + Math.abs(value - (theirs.data[i] as number)), 0);
  return [
    toleranceItem(`${name}, largest difference`, most, isPng ? PNG_LEVELS : JPEG_LEVELS, 'grey levels'),
    toleranceItem(`${name}, mean difference`, sum / ours.data.length, MEAN_LEVELS, 'grey levels'),
  ];
}

function channelMeans(image: RgbImage): number[] {
  return [0, 1, 2].map((channel) => {
    const sum = image.data.reduce((total, value, i) => total + (i % 3 === channel ? value : 0), 0);
    return sum / (image.height * image.width);
  });
}

function statistics(values: Float32Array): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / values.length) };
}
