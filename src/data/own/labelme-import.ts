/** LabelMe's JSON files as own data: labels become expressions; shapes with an inside become masks. */
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { UserError, messageOf } from '../../errors.js';
import { readImageSize } from '../../io/image/image-file.js';
import { readJson } from '../../io/json/json-file.js';
import { JsonReader } from '../../io/json/json-reader.js';
import type { Size } from '../image/size-mismatch.js';
import type { Imported } from './coco-import.js';
import { type Fill, type ImageDraft, ImageDrafts } from './image-drafts.js';
import { ImageFinder } from './image-finder.js';
import { type OnProgress, openPicture } from './import-pictures.js';
import { maskOfShape } from './labelme-shape.js';
import { LeftOut } from './left-out.js';
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
  onProgress: OnProgress = () => undefined,
): Promise<LabelmeImport> {
  const files = jsonFiles(folder);
  if (files.length === 0) throw new UserError(`${folder} has no .json file; LabelMe writes one for each image.`);
  const importer = new LabelmeImporter(folder, options);
  for (const [index, file] of files.entries()) {
    onProgress(index, files.length);
    await importer.take(file);
  }
  onProgress(files.length, files.length);
  return importer.finish();
}

/** The picture in a JSON file. @throws UserError where there is none */
export function embeddedPicture(file: string): Buffer {
  return pictureIn(JsonReader.of(readJson(file, WHAT_FOR), file));
}

function pictureIn(root: JsonReader): Buffer {
  return Buffer.from(
    root
      .key('imageData')
      .string()
      .replace(/^data:[^,]*,/, ''),
    'base64',
  );
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

class LabelmeImporter {
  private readonly leftOut = new LeftOut();
  private readonly drafts = new ImageDrafts();
  private readonly finders = new Map<string, ImageFinder>();
  private readonly embedded = new Map<string, string>();
  /** Path of an embedded picture by what is written of it and what it holds: two files may hold one picture. */
  private readonly embeddedPaths = new Map<string, string>();

  constructor(
    private readonly folder: string,
    private readonly options: LabelmeOptions,
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
      this.leftOut.add('badEntries', error.message);
    }
  }

  finish(): LabelmeImport {
    const { leftOut, embedded } = this;
    return { images: this.drafts.finish(leftOut, this.options.keepIncomplete), leftOut, embedded };
  }

  /** The picture of the file: that of its path, or else the copy that it holds. Null where it is left out. */
  private async open(root: JsonReader, file: string): Promise<ImageDraft | null> {
    const written = root.key('imagePath').string();
    const [height, width] = [root.optional('imageHeight')?.integer(), root.optional('imageWidth')?.integer()];
    const size = height === undefined || width === undefined ? null : { height, width };
    const holdsPicture = typeof root.optional('imageData')?.value === 'string';
    const found = this.finderOf(dirname(file)).find(written);
    if ('path' in found) {
      const opened = await openPicture(found.path, { size, place: file });
      if (!('kind' in opened)) return this.drafts.of(opened.path, opened.size, file);
      const draft = holdsPicture ? await this.openEmbedded(root, file, written, size, null) : null;
      if (draft === null) this.leftOut.add(opened.kind, opened.fault);
      return draft;
    }
    const why = `${file}: "imagePath" is ${JSON.stringify(written)}: ${found.fault}`;
    if (holdsPicture) return this.openEmbedded(root, file, written, size, why);
    this.leftOut.add('missingImages', why);
    return null;
  }

  /** @param why what is reported where the copy cannot be used either; null for nothing */
  private async openEmbedded(
    root: JsonReader,
    file: string,
    written: string,
    size: Size | null,
    why: string | null,
  ): Promise<ImageDraft | null> {
    const bytes = pictureIn(root);
    try {
      const found = await readImageSize(bytes);
      if (size !== null && (found.height !== size.height || found.width !== size.width)) {
        throw new UserError(`it has ${found.width} × ${found.height} pixels, not ${size.width} × ${size.height}`);
      }
      const digest = createHash('sha256').update(bytes).digest('hex');
      const key = `${resolve(dirname(file), written)}\n${digest}`;
      const path = this.embeddedPaths.get(key) ?? this.newPath(file, bytes);
      this.embeddedPaths.set(key, path);
      this.embedded.set(path, file);
      return this.drafts.of(path, found, file);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      if (why !== null) {
        this.leftOut.add('unreadableImages', `${why}; nor can its "imageData" be used (${messageOf(error)})`);
      }
      return null;
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
    let finder = this.finders.get(folder);
    // LabelMe's paths lead from its file to the picture, wherever that is.
    if (finder === undefined)
      this.finders.set(folder, (finder = new ImageFinder(folder, { absolute: true, leadingOut: true })));
    return finder;
  }

  private takeShape(draft: ImageDraft, shape: JsonReader, index: number, file: string): void {
    const { leftOut } = this;
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
    const found = leftOut.guard(() => maskOfShape(shape, draft, fill));
    if (found === null) draft.addWithoutMask(text, `the shape ${place} cannot be read`, part);
    else if ('kind' in found) {
      const type = String(shape.optional('shape_type')?.value);
      leftOut.add(found.kind, `${place}: ${JSON.stringify(text)} is of type ${JSON.stringify(type)}`);
      draft.addWithoutMask(text, `the shape ${place} is of type ${JSON.stringify(type)}`, part);
    } else {
      if (found.masks.length === 0) leftOut.add('emptyMasks', `${place}: ${JSON.stringify(text)}`);
      draft.add(text, found.masks, part);
    }
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
