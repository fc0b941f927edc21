/** LabelMe's JSON files as own data: labels become expressions; polygons, rectangles and circles masks. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError, messageOf } from '../../errors.js';
import { readImageSize } from '../../io/image-file.js';
import { readJson } from '../../io/json-file.js';
import { JsonReader } from '../../io/json-reader.js';
import { annotationToRle } from '../masks/coco-mask-annotation.js';
import { rleArea } from '../masks/coco-mask.js';
import { type ImportedImage, expressionOf } from './own-data-writer.js';

type Point = readonly [x: number, y: number];

export interface LabelmeOptions {
  /** One expression for each shape, or group of shapes, instead of one for all shapes with the same label. */
  readonly perShape: boolean;
}

export interface LabelmeImport {
  /** With one expression or more, in the order of the files' names. */
  readonly images: readonly ImportedImage[];
  /** Files without a shape that can be used. */
  readonly withoutMasks: number;
  /** Shapes of other types, or with nothing inside the image, by type. */
  readonly leftOut: ReadonlyMap<string, number>;
}

/**
 * Reads every .json file in the folder and those below it; hidden ones are passed over.
 * @throws UserError naming the file and the shape that is wrong
 */
export async function importLabelme(
  folder: string,
  options: LabelmeOptions,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<LabelmeImport> {
  const files = jsonFiles(folder);
  if (files.length === 0) throw new UserError(`${folder} has no .json file; LabelMe writes one for each image.`);
  const images: ImportedImage[] = [];
  const leftOut = new Map<string, number>();
  for (const [index, file] of files.entries()) {
    onProgress(index, files.length);
    const image = await readFile(file, options, leftOut);
    if (image.expressions.length > 0) images.push(image);
  }
  onProgress(files.length, files.length);
  return { images, withoutMasks: files.length - images.length, leftOut };
}

function jsonFiles(folder: string): string[] {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new UserError(`There is no folder ${folder} (LabelMe's annotations); check the path.`);
  }
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => /\.json$/i.test(name) && !/(^|[/\\])\./.test(name))
    .sort()
    .map((name) => join(folder, name));
}

async function readFile(
  file: string,
  { perShape }: LabelmeOptions,
  leftOut: Map<string, number>,
): Promise<ImportedImage> {
  const root = JsonReader.of(readJson(file, "LabelMe's annotations"), file);
  const path = imageOf(root, file);
  const { height, width } = await sizeOf(root, path, file);
  const joined = new Map<string, { text: string; polygons: number[][] }>();
  for (const [index, shape] of root.key('shapes').array().entries()) {
    const text = textOf(shape, file);
    const type = shape.optional('shape_type')?.string() ?? 'polygon';
    const polygon = polygonOf(shape, type);
    if (polygon === null || isOutside(polygon, height, width, shape, file)) {
      leftOut.set(type, (leftOut.get(type) ?? 0) + 1);
      continue;
    }
    const group = shape.optional('group_id')?.integer();
    const which = !perShape ? '' : group === undefined ? `shape ${index}` : `group ${group}`;
    const key = `${text.toLowerCase()}\n${which}`;
    const own = joined.get(key);
    if (own === undefined) joined.set(key, { text, polygons: [polygon] });
    else own.polygons.push(polygon);
  }
  const expressions = [...joined.values()].map(({ text, polygons }) => ({ text, masks: [{ polygons }] }));
  return { path, height, width, expressions };
}

/** LabelMe keeps the path relative to its file, on Windows with backslashes. */
function imageOf(root: JsonReader, file: string): string {
  const written = root.key('imagePath').string().replaceAll('\\', '/');
  const candidates = [resolve(dirname(file), written), join(dirname(file), basename(written))];
  const found = candidates.find((path) => !path.includes('\0') && existsSync(path));
  return found ?? root.key('imagePath').fail('an image that is there (a copy inside the file is not read)');
}

async function sizeOf(root: JsonReader, path: string, file: string): Promise<{ height: number; width: number }> {
  const size = await readImageSize(path);
  const width = root.optional('imageWidth')?.integer() ?? size.width;
  const height = root.optional('imageHeight')?.integer() ?? size.height;
  if (width === size.width && height === size.height) return size;
  throw new UserError(
    `${file}: it was drawn on an image of ${width} × ${height} pixels (width × height), ${path} has ${size.width} × ` +
      `${size.height}. Use the image that belongs to it.`,
  );
}

function textOf(shape: JsonReader, file: string): string {
  const label = shape.key('label').string();
  try {
    return expressionOf(label);
  } catch (error) {
    throw new UserError(`${file}: "${shape.path}.label": ${messageOf(error)}`);
  }
}

/** The outline; null for points and lines, which have nothing inside. */
function polygonOf(shape: JsonReader, type: string): number[] | null {
  const points = shape.key('points').array().map(pointOf);
  const wrong = (expected: string): never => shape.key('points').fail(expected);
  if (type === 'polygon') return points.length >= 3 ? points.flat() : wrong('three points or more');
  if (type === 'rectangle') {
    // Two opposite corners; the newest LabelMe writes all four.
    if (points.length === 4) return points.flat();
    const [a, b] = points;
    if (points.length !== 2 || a === undefined || b === undefined) return wrong('two corners, or four');
    return [a[0], a[1], b[0], a[1], b[0], b[1], a[0], b[1]];
  }
  if (type === 'circle') {
    const [centre, edge] = points;
    if (points.length !== 2 || centre === undefined || edge === undefined)
      return wrong('centre and a point of the edge');
    return circle(centre, Math.hypot(edge[0] - centre[0], edge[1] - centre[1]));
  }
  return null;
}

function pointOf(point: JsonReader): Point {
  const [x, y] = point.numbers();
  if (x === undefined || y === undefined || point.array().length !== 2) return point.fail('[x, y]');
  return [x, y];
}

/** So many corners that the edges stay within a tenth of a pixel of the circle, up to a radius of 2600. */
function circle([x, y]: Point, radius: number): number[] {
  const corners = Math.min(Math.max(16, Math.ceil(Math.PI * Math.sqrt(5 * radius))), 360);
  const rounded = (value: number): number => Math.round(value * 100) / 100;
  return Array.from({ length: corners }, (_, i) => (2 * Math.PI * i) / corners).flatMap((angle) => [
    rounded(x + radius * Math.cos(angle)),
    rounded(y + radius * Math.sin(angle)),
  ]);
}

function isOutside(polygon: number[], height: number, width: number, shape: JsonReader, file: string): boolean {
  try {
    const rle = annotationToRle([polygon], height, width);
    return rle === null || rleArea(rle) === 0;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${file}: "${shape.path}": ${error.message}`);
  }
}
