/** The files of `gsva segment --out`: their names by `--format`, refusals, and the writing. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { cocoFile, geojsonFile, labelmeFile, yoloData, yoloLabels } from '../data/masks/mask-files.js';
import type { FoundObject, FoundPicture } from '../data/masks/mask-files.js';
import { UsageError, UserError } from '../errors.js';
import { panelPng, writePanelPng } from '../evaluation/report/panel.js';
import { writeDirectoryAtomic, writeFileAtomic } from '../io/atomic/atomic-file.js';
import { pictureForm, writeMaskPng, writePicture } from '../io/image/image-file.js';
import type { Reply } from '../inference/reply.js';
import type { RgbImage, UnmatchedPart } from '../types.js';

export const MASK_FORMATS = ['png', 'coco', 'labelme', 'geojson', 'yolo'] as const;
export type MaskFormat = (typeof MASK_FORMATS)[number];

/** Endings of a single file; YOLO needs a folder, and a single picture is the overlay alone. */
const FILE_ENDINGS: Readonly<Record<MaskFormat, readonly string[]>> = {
  png: ['.png', '.jpg', '.jpeg', '.webp'],
  coco: ['.json'],
  labelme: ['.json'],
  geojson: ['.geojson', '.json'],
  yolo: [],
};
/** All that a name can end in which is meant as a file. */
const ANY_FILE = /^\.(png|jpe?g|webp|json|geojson|txt|ya?ml|zip)$/;
/** File names of a folder of masks; a folder with any other file is the user's own and is not replaced. */
const RESULT_FILE = /^(overlay|(mask|unmatched)-\d{2,})\.png$/;
const PICTURE_PLACES = 'a picture (NAME.png, .jpg, .webp) or a folder';

export interface SegmentOut {
  readonly path: string;
  readonly format: MaskFormat;
}

/** @param image the picture asked about @throws UsageError, UserError for impossible forms and occupied places */
export function checkOut({ path, format }: SegmentOut, image: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  const picture = statSync(image, { throwIfNoEntry: false });
  if (found !== undefined && picture?.ino === found.ino && picture.dev === found.dev) {
    throw new UserError(
      `${path} is the picture that is asked about, and would be replaced; name another file as --out`,
    );
  }
  const isOne = format === 'png' ? isPicture(path) : isFile(path, format);
  if (found === undefined) return;
  if (isOne && format !== 'png') {
    // It may be somebody's own annotation of the same picture.
    throw new UserError(`${path} exists; --format ${format} replaces nothing, so name a new file as --out`);
  }
  if (isOne && found.isDirectory()) throw new UserError(`${path} is a folder; name a file or another folder as --out`);
  if (isOne) return;
  if (!found.isDirectory()) {
    const [how, places] = format === 'png' ? ['', PICTURE_PLACES] : [` with --format ${format}`, placesOf(format)];
    throw new UserError(`${path} is a file; --out${how} takes ${places}`);
  }
  const names = readdirSync(path);
  if (format !== 'png' && names.length > 0) {
    throw new UserError(`${path} is not empty; --format ${format} replaces nothing, so name a new folder as --out`);
  }
  const other = format === 'png' ? names.find((name) => !RESULT_FILE.test(name)) : undefined;
  if (other === undefined) return;
  throw new UserError(
    `${path} holds ${other}, which is no result of segment; a folder of results is replaced as a whole, so name a new one`,
  );
}

/** @throws UsageError where the ending is that of another format */
function isFile(path: string, format: MaskFormat): boolean {
  const ending = extname(path).toLowerCase();
  if (FILE_ENDINGS[format].includes(ending)) return true;
  if (!ANY_FILE.test(ending)) return false;
  const others = formatsOf(ending);
  const hint = others.length === 0 ? '' : ` (${ending} goes with --format ${others.join(' or ')})`;
  throw new UsageError(`--format ${format} with --out ${path}: ${format} takes ${placesOf(format)}${hint}`);
}

/** @throws UsageError, UserError where the ending is that of another format, or of a picture that is not written */
function isPicture(path: string): boolean {
  const ending = extname(path).toLowerCase();
  const others = formatsOf(ending);
  if (others.length > 0 && !others.includes('png')) {
    throw new UsageError(`--out ${path}: a name in ${ending} needs --format ${others.join(' or ')}`);
  }
  return pictureForm('--out', path) !== null;
}

function formatsOf(ending: string): MaskFormat[] {
  return MASK_FORMATS.filter((format) => FILE_ENDINGS[format].includes(ending));
}

function placesOf(format: MaskFormat): string {
  return [...FILE_ENDINGS[format].map((ending) => `NAME${ending}`), 'a folder'].join(' or ');
}

/** @param imagePath of the picture that was asked about @returns the paths written */
export async function writeResults({ path, format }: SegmentOut, imagePath: string, image: RgbImage, reply: Reply) {
  if (format === 'png') return writePngs(path, image, reply);
  const { height, width } = image;
  const name = basename(imagePath);
  const stem = basename(imagePath, extname(imagePath));
  if (format === 'yolo') return writeYolo(path, imagePath, { name, height, width }, reply.results);
  const isOne = isFile(path, format);
  const names = { coco: 'instances.json', labelme: `${stem}.json`, geojson: `${stem}.geojson` };
  const file = isOne ? path : join(path, names[format]);
  // LabelMe opens the picture by this path, relative to its own file; COCO's are names inside a folder of pictures.
  const fromFile = relative(resolve(dirname(file)), resolve(imagePath)).replaceAll(sep, '/');
  const make = { coco: cocoFile, labelme: labelmeFile, geojson: geojsonFile }[format];
  const content = make({ name: format === 'labelme' ? fromFile : name, height, width }, reply.results);
  if (!isOne) mkdirSync(path, { recursive: true });
  writeFileAtomic(file, Buffer.from(`${JSON.stringify(content)}\n`));
  return [file];
}

/** A set that YOLO trains on and `gsva data import yolo` reads: data.yaml, the picture and its labels. */
async function writeYolo(path: string, imagePath: string, picture: FoundPicture, found: readonly FoundObject[]) {
  const labels = `${basename(imagePath, extname(imagePath))}.txt`;
  await writeDirectoryAtomic(path, async (folder) => {
    for (const name of ['images', 'labels']) mkdirSync(join(folder, name));
    copyFileSync(imagePath, join(folder, 'images', picture.name));
    writeFileSync(join(folder, 'labels', labels), yoloLabels(picture, found));
    writeFileSync(join(folder, 'data.yaml'), yoloData(found));
  });
  return ['data.yaml', join('images', picture.name), join('labels', labels)].map((name) => join(path, name));
}

/** A picture, or a folder with the picture and a mask for each [SEG]: those of expressions, and those that match none. */
async function writePngs(out: string, image: RgbImage, { question, answer, results, unmatched }: Reply) {
  const others = unmatched.map((part) => ({ ...part, expression: `${bareText(part)} (not asked for)` }));
  const sample = { image, question, answer, results: [...results, ...others], asked: results.length, targets: [] };
  const form = pictureForm('--out', out);
  if (form !== null) {
    await writePicture(out, form, await panelPng(sample));
    return [out];
  }
  const names = ['overlay.png'];
  await writeDirectoryAtomic(out, async (dir) => {
    await writePanelPng(join(dir, 'overlay.png'), sample);
    for (const [kind, findings] of [['mask', results] as const, ['unmatched', unmatched] as const]) {
      for (const [index, { mask }] of findings.entries()) {
        if (mask === null) continue;
        const name = `${kind}-${String(index + 1).padStart(2, '0')}.png`;
        await writeMaskPng(join(dir, name), mask);
        names.push(name);
      }
    }
  });
  return names.map((name) => join(out, name));
}

/** The words of a part without what joins it to its neighbours. */
export function bareText({ text }: Pick<UnmatchedPart, 'text'>): string {
  return text.replace(/^[\s,.;]+|[\s:]+$/g, '') || 'no words';
}

/** The text of a part that matches no expression, quoted. */
export function textOf({ text, repeats }: UnmatchedPart): string {
  const written = JSON.stringify(text);
  return repeats === null ? written : `${written} (answered before: ${repeats})`;
}

/** The first folder 01, 02, … that `parent` does not have. */
export function nextFolder(parent: string): string {
  for (let number = 1; ; number++) {
    const folder = join(parent, String(number).padStart(2, '0'));
    if (!existsSync(folder)) return folder;
  }
}
