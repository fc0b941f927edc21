/** Annotations of other tools, written as lines of own data; shared by the commands `gsva data import …`. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import {
  type Imported,
  LEFT_OUT_KINDS,
  type LeftOut,
  type LeftOutKind,
  type OnProgress,
} from '../data/own/image-drafts.js';
import { embeddedPicture } from '../data/own/labelme-import.js';
import { refuseExisting, writeOwnData } from '../data/own/own-data-writer.js';
import { UserError } from '../errors.js';
import { writeDirectoryAtomic } from '../io/atomic/atomic-file.js';
import { gsvaCommand } from '../program.js';
import { counted } from '../workflows/watch.js';
import type { CommandContext } from './command.js';
import { flag, required, type ValuesOf, withDefault } from './options/option.js';
import { finiteNumber, SEED, TEXT, wholeNumber } from './options/values.js';

export const IMPORT_OPTIONS = {
  out: required('File to write (.jsonl); images in its folder are named relative to it', TEXT),
  val: withDefault('Share of the images that become the val split', finiteNumber({ min: 0, max: 0.9 }), 0),
  absent: withDefault(
    'Names per image that it is not annotated with, asked for as "not here"',
    wholeNumber({ min: 0, max: 1000 }),
    0,
  ),
  seed: withDefault('Draws the images of val and the absent names', SEED, 1),
  overwrite: flag('Replace the file'),
  'keep-incomplete': flag('Keep expressions whose mask lacks an object of the image (one with only a box, say)'),
  strict: flag('Write nothing and exit with 1 where any entry is wrong'),
  show: withDefault('Entries left out that are listed of each kind, at most', wholeNumber({ min: 0, max: 10_000 }), 10),
};

type ImportArguments = ValuesOf<typeof IMPORT_OPTIONS>;

interface Loaded extends Imported {
  readonly embedded?: ReadonlyMap<string, string>;
}

/** Reads the annotations. @param pictures folder for pictures that have no file of their own */
type Load = (
  pictures: string,
  options: { readonly keepIncomplete: boolean },
  onProgress: OnProgress,
) => Promise<Loaded>;

/** @returns the exit code: 1 where `strict` found something wrong */
export async function writeImported(args: ImportArguments, context: CommandContext, load: Load): Promise<number> {
  const { out, overwrite, strict, keepIncomplete } = args;
  const { output } = context;
  refuseExisting(out, overwrite);
  const pictures = picturesFolder(out);
  const { images, leftOut, embedded } = await load(pictures, { keepIncomplete }, counted(context, 'import'));
  listLeftOut(leftOut, args.show, context);
  const counts = Object.fromEntries(
    (Object.keys(LEFT_OUT_KINDS) as LeftOutKind[]).map((kind) => [kind, leftOut.count(kind)]),
  );
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

/** Where pictures go that have no file of their own: "my/data.jsonl" → "my/data-images". */
function picturesFolder(out: string): string {
  return `${out.replace(/\.jsonl?$/i, '')}-images`;
}

async function writeEmbedded(folder: string, embedded: ReadonlyMap<string, string>): Promise<void> {
  await writeDirectoryAtomic(folder, (temporary) => {
    for (const [path, json] of embedded) {
      const place = join(temporary, relative(folder, path));
      if (!existsSync(dirname(place))) mkdirSync(dirname(place), { recursive: true });
      writeFileSync(place, embeddedPicture(json));
    }
    return Promise.resolve();
  });
}
