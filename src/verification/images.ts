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
  const sizeError = Math.max(
    Math.abs(image.height - expected.key('height').integer()),
    Math.abs(image.width - expected.key('width').integer()),
  );
  const clipPicture = pictureOf(file, 'clip');
  const samPicture = pictureOf(file, 'sam');
  const sam = resizeForSam(image, samPicture.size);
  const samSize = expected.key(`sam${samPicture.size}`).numbers();
  const clip = clipTransform(image, clipPicture.size).data;
  const { mean, deviation } = statistics(clip);
  const meanTolerance = isPng ? NORMALISED : MEAN_LEVELS * NORMALISED_LEVEL;
  const cornerTolerance = isPng ? NORMALISED : JPEG_LEVELS * NORMALISED_LEVEL;
  return [
    toleranceItem(`${name}: size`, sizeError, 0, `${image.height} x ${image.width}`),
    toleranceItem(
      `${name}: mean colour`,
      largestDifference(channelMeans(image), expected.key('mean_rgb').numbers()),
      isPng ? NORMALISED : MEAN_LEVELS,
    ),
    toleranceItem(`${name}: size for F_V2`, largestDifference([sam.height, sam.width], samSize), 0),
    ...(await verifyPicture(`${name}: F_V2 picture`, sam, samPicture.path, isPng)),
    ...(await verifyPicture(`${name}: F_V1 picture`, resizeForClip(image, clipPicture.size), clipPicture.path, isPng)),
    toleranceItem(`${name}: F_V1 mean`, Math.abs(mean - expected.key('clip_mean').number()), meanTolerance),
    toleranceItem(`${name}: F_V1 deviation`, Math.abs(deviation - expected.key('clip_std').number()), meanTolerance),
    toleranceItem(
      `${name}: F_V1 upper left`,
      largestDifference(Array.from(clip.subarray(0, 3)), expected.key('clip_corner').numbers()),
      cornerTolerance,
    ),
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
  let most = 0;
  let sum = 0;
  for (let i = 0; i < ours.data.length; i++) {
    const difference = Math.abs((ours.data[i] as number) - (theirs.data[i] as number));
    most = Math.max(most, difference);
    sum += difference;
  }
  return [
    toleranceItem(`${name}, largest difference`, most, isPng ? PNG_LEVELS : JPEG_LEVELS, 'grey levels'),
    toleranceItem(`${name}, mean difference`, sum / ours.data.length, MEAN_LEVELS, 'grey levels'),
  ];
}

function channelMeans(image: RgbImage): number[] {
  const sums = [0, 0, 0];
  for (let i = 0; i < image.data.length; i++) sums[i % 3] = (sums[i % 3] as number) + (image.data[i] as number);
  return sums.map((sum) => sum / (image.height * image.width));
}

function statistics(values: Float32Array): { mean: number; deviation: number } {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / values.length) };
}
