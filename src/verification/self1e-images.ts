/**
 * Pictures of SELF1E against Pillow's (expected.json, samples.safetensors, photographs.safetensors): the squash to 448
 * pixels, the choice of tile grids, the tiles. Pillow does not turn by EXIF; the pictures are in the folder `images`.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { extname, join } from 'node:path';
import { chooseTileGrid, cutTiles } from '../data/image/image-tiles.js';
import { normalisedImagenet, resizeSquashed } from '../data/image/image-transforms.js';
import { UserError } from '../errors.js';
import { readImageHeader } from '../io/image/image-header.js';
import { decodeImage } from '../io/image/image-pixels.js';
import { readJson } from '../io/json/json-file.js';
import { JsonReader } from '../io/json/json-reader.js';
import { readSafetensors, type StoredTensor } from '../io/safetensors/safetensors.js';
import type { RgbImage } from '../types.js';
import { largestDifference, Mismatches, toleranceItem, type VerifyItem, Worst } from './verify-item.js';

/** Pixels kept in X.every8 and X.tiles4.every32, and the corner in X.normalised. */
const EVERY = 8;
const EVERY_OF_TILE = 32;
const CORNER = 4;
/** Largest difference in grey levels: PNG is exact, JPEG decoders differ by a few. */
const LEVELS = { png: 0, jpeg: 3 } as const;
/** Largest difference of mean values in grey levels. */
const MEAN_LEVELS = 0.2;
/** Largest difference of normalised values: float32's rounding, and a grey level (1 / 255 / the least deviation). */
const NORMALISED = 1e-6;
const NORMALISED_LEVEL = 1 / 255 / 0.224;
const FILES = ['samples.safetensors', 'photographs.safetensors'] as const;

/**
 * @param dir with expected.json and samples.safetensors @param pictures folder of the pictures
 * @throws UserError when a file is missing or malformed
 */
export async function verifySelf1eImages(dir: string, pictures: string): Promise<VerifyItem[]> {
  const path = join(dir, 'expected.json');
  const expected = JsonReader.of(readJson(path, 'recorded image results'), path);
  const tensors = new Map<string, StoredTensor>();
  for (const file of FILES.map((name) => join(dir, name)).filter((name) => existsSync(name))) {
    for (const [name, tensor] of readSafetensors(file).tensors) tensors.set(name, tensor);
  }
  const side = expected.key('size').integer();
  const items = [ratioItem(expected.key('ratios'), side)];
  for (const [name, place] of expected.key('images').entries()) {
    // Photographs are not kept with the sources: both their pictures and their recorded pixels may be absent.
    const file = join(pictures, name);
    if (!existsSync(file) || !tensors.has(`${name}.every8`)) continue;
    items.push(...(await verifyPicture({ name, file, side, place, tensors })));
  }
  if (items.length > 1) return items;
  throw new UserError(`Verifying ${path}: none of its pictures is in ${pictures}; copy the folder images as well.`);
}

interface Picture {
  readonly name: string;
  readonly file: string;
  readonly side: number;
  readonly place: JsonReader;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** Tile grids for sizes of pictures: [width, height, grid for at most 1, 4, 6, 12 tiles]. */
function ratioItem(ratios: JsonReader, side: number): VerifyItem {
  const grids = new Mismatches('tile grids by size');
  for (const row of ratios.array()) {
    const [width, height, ...recorded] = row.array();
    const [w, h] = [width?.integer() ?? row.fail('a width'), height?.integer() ?? row.fail('a height')];
    for (const [index, most] of [1, 4, 6, 12].entries()) {
      const { columns, rows } = chooseTileGrid(w, h, most, side);
      const place = recorded[index] ?? row.fail('four tile grids');
      grids.compare(`${w} x ${h}, at most ${most}`, [columns, rows], place.numbers());
    }
  }
  return grids.item();
}

async function verifyPicture({ name, file, side, place, tensors }: Picture): Promise<VerifyItem[]> {
  const format = extname(name) === '.png' ? 'png' : 'jpeg';
  const image = await decodeImage(file, { ...(await readImageHeader(file)), turns: [] });
  const size = new Mismatches(`${name}: size`);
  size.compare(name, [image.width, image.height], [place.key('width').integer(), place.key('height').integer()]);
  const pixels = new Worst(`${name}: pixels`, LEVELS[format], 'grey levels');
  const means = new Worst(`${name}: mean colours`, format === 'png' ? 1e-4 : MEAN_LEVELS, 'grey levels');
  means.add('decoded', largestDifference(channelMeans(image), place.key('decoded_mean').numbers()));
  const squash = resizeSquashed(image, side);
  const kept = recorded(tensors, `${name}.every8`);
  pixels.add('every8', largestDifference(thinned(squash, EVERY), kept));
  const digests = new Mismatches(`${name}: SHA-256`);
  digests.compare('squash', sha256(squash), place.key('squash').key('sha256').string());
  const grids = new Mismatches(`${name}: tile grids`);
  for (const [words, tiled] of place.key('tiled').entries()) {
    const [, most, thumbnail] =
      /^(\d+)(\+thumbnail)?$/.exec(words) ?? tiled.fail('a key such as "4" or "12+thumbnail"');
    const { grid, tiles } = cutTiles(image, { mostTiles: Number(most), side, thumbnail: thumbnail !== undefined });
    const counts = [tiled.key('columns').integer(), tiled.key('rows').integer(), tiled.key('tiles').integer()];
    grids.compare(words, [grid.columns, grid.rows, tiles.length], counts);
    const [hashes, colours] = [tiled.key('sha256').array(), tiled.key('mean').array()];
    for (const [index, tile] of tiles.entries()) {
      const what = `${words} tile ${index}`;
      digests.compare(what, sha256(tile), hashes[index]?.string() ?? 'none');
      means.add(what, largestDifference(channelMeans(tile), colours[index]?.numbers() ?? []));
    }
    if (words !== '4') continue;
    const every = tiles.flatMap((tile) => [...thinned(tile, EVERY_OF_TILE)]);
    pixels.add('tiles4.every32', largestDifference(every, recorded(tensors, `${name}.tiles4.every32`)));
  }
  const error = largestDifference(corner(normalisedImagenet(squash), side), recorded(tensors, `${name}.normalised`));
  const tolerance = format === 'png' ? NORMALISED : LEVELS.jpeg * NORMALISED_LEVEL;
  return [
    ...[size.item(), grids.item(), pixels.item(), means.item()],
    // Decoders of JPEG may differ in the last bits; those of PNG may not.
    ...(format === 'png' ? [digests.item()] : []),
    toleranceItem(`${name}: normalised corner`, error, tolerance),
  ];
}

function recorded(tensors: ReadonlyMap<string, StoredTensor>, name: string): ArrayLike<number> {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new UserError(`Verifying pictures: "${name}" is in none of ${FILES.join(', ')}.`);
  return tensor.data as ArrayLike<number>;
}

function sha256({ data }: RgbImage): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Every `step`-th pixel of every `step`-th row: [height / step, width / step, 3]. */
function thinned({ data, height, width }: RgbImage, step: number): Uint8Array {
  const kept: number[] = [];
  for (let y = 0; y < height; y += step) {
    for (let x = 0; x < width; x += step) kept.push(...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3));
  }
  return Uint8Array.from(kept);
}

/** Upper left corner of [side, side, 3], in PyTorch's order: [3, 4, 4]. */
function corner(values: Float32Array, side: number): number[] {
  return Array.from({ length: 3 * CORNER * CORNER }, (_, i) => {
    const [channel, y, x] = [Math.floor(i / CORNER ** 2), Math.floor(i / CORNER) % CORNER, i % CORNER];
    return values[(y * side + x) * 3 + channel] as number;
  });
}

function channelMeans({ data, height, width }: RgbImage): number[] {
  return [0, 1, 2].map((channel) => {
    let sum = 0;
    for (let i = channel; i < data.length; i += 3) sum += data[i] as number;
    return sum / (height * width);
  });
}
