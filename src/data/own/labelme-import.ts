/** LabelMe's JSON files as own data: labels become expressions; shapes with an inside become masks. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { UserError, messageOf } from '../../errors.js';
import { readImageSize } from '../../io/image/image-file.js';
import { readJson } from '../../io/json/json-file.js';
import { JsonReader } from '../../io/json/json-reader.js';
import type { Size } from '../image/size-mismatch.js';
import {
  type ImageDraft,
  ImageDrafts,
  type Imported,
  type OnProgress,
  type Opened,
  openPicture,
} from './image-drafts.js';
import { filesBelow, ImageFinder } from './image-finder.js';
import { type Fill, maskOfShape } from './labelme-shape.js';
import { expressionOf } from './own-data-writer.js';

export interface LabelmeOptions {
  /** One expression for each shape, or group of shapes, instead of one for all shapes with the same label. */
  readonly perShape: boolean;
  readonly fill: Fill;
  readonly keepIncomplete: boolean;
  /** Folder of the pictures; null for the folder of each JSON file. */
  readonly images: string | null;
  /** Folder in which pictures that only the JSON files hold will be written. */
  readonly embeddedInto: string;
}

export interface LabelmeImport extends Imported {
  /** Paths below `embeddedInto` at which a picture has to be written, and the JSON file that holds it. */
  readonly embedded: ReadonlyMap<string, string>;
}

const WHAT_FOR = "LabelMe's annotations";

/**
 * Reads every .json file in the folder and those below it, without hidden ones.
 * @throws UserError where the folder, or any such file in it, is missing
 */
export async function importLabelme(
  folder: string,
  options: LabelmeOptions,
  onProgress?: OnProgress,
): Promise<LabelmeImport> {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new UserError(`There is no folder ${folder} (LabelMe's annotations); check the path.`);
  }
  const files = filesBelow(folder, /\.json$/i);
  if (files.length === 0) throw new UserError(`${folder} has no .json file; LabelMe writes one for each image.`);
  const drafts = new ImageDrafts(onProgress);
  const importer = new LabelmeImporter(folder, options, drafts);
  await drafts.each(files, (file) => importer.take(file));
  return { ...drafts.finish(options.keepIncomplete), embedded: importer.embedded };
}

/** The picture in a JSON file. @throws UserError where there is none */
export function embeddedPicture(file: string): Buffer {
  return pictureIn(JsonReader.of(readJson(file, WHAT_FOR), file));
}

function pictureIn(root: JsonReader): Buffer {
  const text = root.key('imageData').string();
  return Buffer.from(text.replace(/^data:[^,]*,/, ''), 'base64');
}

class LabelmeImporter {
  readonly embedded = new Map<string, string>();
  private readonly finders = new Map<string, ImageFinder>();
  /** Path of an embedded picture by what is written of it and what it holds: two files may hold one picture. */
  private readonly embeddedPaths = new Map<string, string>();

  constructor(
    private readonly folder: string,
    private readonly options: LabelmeOptions,
    private readonly drafts: ImageDrafts,
  ) {}

  /** Reads one file; what cannot be used of it is left out. */
  async take(file: string): Promise<void> {
    try {
      const root = JsonReader.of(readJson(file, WHAT_FOR), file);
      const shapes = root.key('shapes').array();
      const draft = await this.open(root, file);
      if (draft !== null) for (const [index, shape] of shapes.entries()) this.takeShape(draft, shape, index, file);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.drafts.leftOut.add('badEntries', error.message);
    }
  }

  /** The picture of the file: that of its path, or else the copy that it holds. Null where it is left out. */
  private async open(root: JsonReader, file: string): Promise<ImageDraft | null> {
    const written = root.key('imagePath').string();
    const [height, width] = [root.optional('imageHeight')?.integer(), root.optional('imageWidth')?.integer()];
    const size = height === undefined || width === undefined ? null : { height, width };
    const found = this.finderOf(dirname(file)).find(written);
    const opened: Opened =
      'path' in found
        ? await openPicture(found.path, size, file)
        : { kind: 'missingImages', fault: `${file}: "imagePath" is ${JSON.stringify(written)}: ${found.fault}` };
    const holdsPicture = typeof root.optional('imageData')?.value === 'string';
    if ('path' in opened || !holdsPicture) return this.drafts.take(opened, file);
    const copy = await this.openEmbedded(root, file, written, size);
    if (!(copy instanceof UserError)) return copy;
    if (opened.kind !== 'missingImages') return this.drafts.take(opened, file);
    const fault = `${opened.fault}; nor can its "imageData" be used (${copy.message})`;
    return this.drafts.take({ kind: 'unreadableImages', fault }, file);
  }

  /** The draft of the copy that a file holds, or why it cannot be used. */
  private async openEmbedded(root: JsonReader, file: string, written: string, size: Size | null) {
    const bytes = pictureIn(root);
    try {
      const found = await readImageSize(bytes);
      if (size !== null && (found.height !== size.height || found.width !== size.width)) {
        return new UserError(`it has ${found.width} × ${found.height} pixels, not ${size.width} × ${size.height}`);
      }
      const digest = createHash('sha256').update(bytes).digest('hex');
      const key = `${resolve(dirname(file), written)}\n${digest}`;
      const path = this.embeddedPaths.get(key) ?? this.newPath(file, bytes);
      this.embeddedPaths.set(key, path);
      this.embedded.set(path, file);
      return this.drafts.of(path, found, file);
    } catch (error) {
      if (error instanceof UserError) return error;
      throw error;
    }
  }

  private newPath(file: string, bytes: Buffer): string {
    const stem = join(this.options.embeddedInto, relative(this.folder, file)).replace(/\.json$/i, '');
    let path = `${stem}${endingOf(bytes)}`;
    for (let number = 2; this.embedded.has(path); number++) path = `${stem}-${number}${endingOf(bytes)}`;
    return path;
  }

  private finderOf(jsonFolder: string): ImageFinder {
    const folder = this.options.images ?? jsonFolder;
    // LabelMe's paths lead from its file to the picture, wherever that is.
    const finder = this.finders.get(folder) ?? new ImageFinder(folder, { absolute: true, leadingOut: true });
    this.finders.set(folder, finder);
    return finder;
  }

  private takeShape(draft: ImageDraft, shape: JsonReader, index: number, file: string): void {
    const { leftOut } = this.drafts;
    const { perShape, fill } = this.options;
    const place = `${file}: "${shape.path}"`;
    const text = leftOut.guard(() => textOf(shape, file));
    if (text === null) {
      // A shape without a usable name may show anything.
      draft.addNameless();
      return;
    }
    const group: unknown = leftOut.guard(() => shape.optional('group_id')?.value);
    const part = !perShape ? '' : typeof group === 'number' ? `group ${group}` : `shape ${index} of ${file}`;
    const found = leftOut.guard(() => maskOfShape(shape, draft.size, fill));
    if (found === null) draft.addWithoutMask(text, `the shape ${place} cannot be read`, part);
    else if (typeof found === 'string') {
      const type = JSON.stringify(String(shape.optional('shape_type')?.value));
      leftOut.add(found, `${place}: ${JSON.stringify(text)} is of type ${type}`);
      draft.addWithoutMask(text, `the shape ${place} is of type ${type}`, part);
    } else draft.add(text, found, place, part);
  }
}

function textOf(shape: JsonReader, file: string): string {
  const label = shape.key('label').string();
  try {
    return expressionOf(label);
  } catch (error) {
    throw new UserError(`${file}: "${shape.path}.label": ${messageOf(error)}`);
  }
}

/** The ending of a picture's name by its first bytes. */
function endingOf(bytes: Buffer): string {
  const beginning = bytes.toString('latin1', 0, 12);
  if (beginning.startsWith('\xff\xd8')) return '.jpg';
  if (beginning.startsWith('\x89PNG')) return '.png';
  if (beginning.startsWith('GIF8')) return '.gif';
  if (beginning.startsWith('BM')) return '.bmp';
  return beginning.startsWith('RIFF') && beginning.endsWith('WEBP') ? '.webp' : '.tif';
}
