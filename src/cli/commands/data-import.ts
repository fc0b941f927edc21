/** `gsva data import …`: annotations of other tools, written as lines of own data. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { importCoco } from '../../data/own/coco-import.js';
import { FILLS } from '../../data/own/labelme-shape.js';
import { embeddedPicture, importLabelme } from '../../data/own/labelme-import.js';
import { LEFT_OUT_KINDS } from '../../data/own/image-drafts.js';
import type { Imported, LeftOut, LeftOutKind, OnProgress } from '../../data/own/image-drafts.js';
import { refuseExisting, writeOwnData } from '../../data/own/own-data-writer.js';
import { importVoc } from '../../data/own/voc-import.js';
import { importYolo } from '../../data/own/yolo-import.js';
import { UserError } from '../../errors.js';
import { writeDirectoryAtomic } from '../../io/atomic/atomic-file.js';
import { gsvaCommand } from '../../program.js';
import { counted } from '../../workflows/watch.js';
import { type CommandContext, defineCommand } from '../command.js';
import { flag, option, required, type ValuesOf, withDefault } from '../options/option.js';
import { finiteNumber, oneOf, requireFile, requireFolder, SEED, TEXT, wholeNumber } from '../options/values.js';

const IMPORT_OPTIONS = {
  out: required('File to write (.jsonl); images in its folder are named relative to it', TEXT),
  val: withDefault('Share of the images that become the val split', finiteNumber(0, 0.9), 0),
  absent: withDefault(
    'Names per image that it is not annotated with, asked for as "not here"',
    wholeNumber(0, 1000),
    0,
  ),
  seed: withDefault('Draws the images of val and the absent names', SEED, 1),
  overwrite: flag('Replace the file'),
  'keep-incomplete': flag('Keep expressions whose mask lacks an object of the image (one with only a box, say)'),
  strict: flag('Write nothing and exit with 1 where any entry is wrong'),
  show: withDefault('Entries left out that are listed of each kind, at most', wholeNumber(0, 10_000), 10),
};

export const commands = {
  'data import coco': defineCommand({
    positionals: { instances: required('The annotations', TEXT) },
    options: { images: required('Folder of the images', TEXT), ...IMPORT_OPTIONS },
    examples: {
      'gsva data import coco my/instances.json --images my/images --out my/data.jsonl --val 0.1': 'a tenth for val',
      'gsva data import coco my/instances.json --images my/images --out my/data.jsonl --absent 2':
        'with two absent names in each image',
    },
    async run(args, context) {
      const { instances, images } = args;
      requireFolder('--images', images);
      return writeImported(args, context, (_, ...how) => importCoco(instances, images, ...how));
    },
  }),
  'data import labelme': defineCommand({
    positionals: { folder: required('Folder of the JSON files', TEXT) },
    options: {
      'per-shape': flag('One expression for each shape (or group); otherwise for all shapes with the same label'),
      fill: withDefault(
        "How outlines become pixels: as COCO's, or as LabelMe exports them (a 10–20 rectangle: 100 or 121)",
        oneOf(FILLS),
        'coco',
      ),
      images: option('Folder of the images, where they are not next to the JSON files', TEXT),
      ...IMPORT_OPTIONS,
    },
    examples: {
      'gsva data import labelme my/annotated --out my/data.jsonl --val 0.1': 'a tenth for val',
      'gsva data import labelme my/annotated --out my/data.jsonl --per-shape': 'labels that describe one thing each',
    },
    async run(args, context) {
      const { folder, images = null, perShape, fill } = args;
      if (images !== null) requireFolder('--images', images);
      return writeImported(args, context, (embeddedInto, options, onProgress) =>
        importLabelme(folder, { images, perShape, fill, ...options, embeddedInto }, onProgress),
      );
    },
  }),
  'data import voc': defineCommand({
    positionals: { folder: required('Folder with JPEGImages and SegmentationClass', TEXT) },
    options: IMPORT_OPTIONS,
    examples: {
      'gsva data import voc VOCdevkit/VOC2012 --out my/data.jsonl': 'with the splits of ImageSets/Segmentation',
      'gsva data import voc my/cvat-export --out my/data.jsonl --absent 2': 'with the classes of its labelmap.txt',
    },
    async run(args, context) {
      requireFolder('<folder>', args.folder);
      return writeImported(args, context, (_, ...how) => importVoc(args.folder, ...how));
    },
  }),
  'data import yolo': defineCommand({
    positionals: { description: required('data.yaml of the data set', TEXT) },
    options: IMPORT_OPTIONS,
    examples: {
      'gsva data import yolo my/data.yaml --out my/data.jsonl': 'with the splits of data.yaml',
      'gsva data import yolo my/data.yaml --out my/data.jsonl --strict': 'nothing where a label is wrong',
    },
    async run(args, context) {
      requireFile('<description>', args.description);
      return writeImported(args, context, (_, ...how) => importYolo(args.description, ...how));
    },
  }),
};

/** Reads the annotations. @param pictures folder for pictures that have no file of their own */
type Load = (
  pictures: string,
  options: { readonly keepIncomplete: boolean },
  onProgress: OnProgress,
) => Promise<Imported & { readonly embedded?: ReadonlyMap<string, string> }>;

/** @returns the exit code: 1 where `strict` found something wrong */
async function writeImported(
  args: ValuesOf<typeof IMPORT_OPTIONS>,
  context: CommandContext,
  load: Load,
): Promise<number> {
  const { out, overwrite, strict } = args;
  const { output } = context;
  refuseExisting(out, overwrite);
  // "my/data.jsonl" → "my/data-images".
  const pictures = `${out.replace(/\.jsonl?$/i, '')}-images`;
  const { images, leftOut, embedded } = await load(pictures, args, counted(context, 'import'));
  listLeftOut(leftOut, args.show, context);
  const kinds = Object.keys(LEFT_OUT_KINDS) as LeftOutKind[];
  const counts = Object.fromEntries(kinds.map((kind) => [kind, leftOut.count(kind)]));
  const found = { leftOut: counts, faults: leftOut.faults, entries: leftOut.entries };
  if (strict && leftOut.faults > 0) {
    output.line(`${out}: not written, since ${leftOut.faults} entries are wrong (--strict)`);
    output.json({ out, written: false, ...found });
    return 1;
  }
  const isDivided = images.some(({ split }) => split !== undefined && split !== null);
  if (isDivided && args.val > 0) {
    throw new UserError(`the annotations are divided into train and val already; leave out --val`);
  }
  if (embedded !== undefined && embedded.size > 0) {
    refuseExisting(pictures, overwrite);
    await writeEmbedded(pictures, embedded);
    context.onNote(`${embedded.size} pictures were only in the JSON files; they are in ${pictures} now`);
  }
  const written = writeOwnData(out, images, args);
  output.line(
    `${out}: ${written.images} images (${written.val} for val), ${written.expressions} expressions, ` +
      `${written.absent} of them absent`,
  );
  output.line(gsvaCommand(`data validate ${out}`));
  output.json({ out, written: true, ...written, ...found });
  return 0;
}

function listLeftOut(leftOut: LeftOut, show: number, context: CommandContext): void {
  for (const kind of leftOut.kinds) {
    const count = leftOut.count(kind);
    context.onNote(`${kind === 'repeatedIds' ? 'found' : 'left out'}: ${count} ${LEFT_OUT_KINDS[kind].title}`);
    for (const { what } of leftOut.entries.filter((entry) => entry.kind === kind).slice(0, show)) {
      context.onNote(`  ${what}`);
    }
    if (count > show) context.onNote(`  and ${count - show} more (--show ${count} lists them)`);
  }
}

async function writeEmbedded(folder: string, embedded: ReadonlyMap<string, string>): Promise<void> {
  await writeDirectoryAtomic(folder, async (temporary) => {
    for (const [path, json] of embedded) {
      const place = join(temporary, relative(folder, path));
      if (!existsSync(dirname(place))) mkdirSync(dirname(place), { recursive: true });
      writeFileSync(place, embeddedPicture(json));
    }
  });
}
