/** The work behind `gsva data import`. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type Imported, importCoco } from '../data/own/coco-import.js';
import { embeddedPicture, importLabelme } from '../data/own/labelme-import.js';
import type { Fill } from '../data/own/image-drafts.js';
import type { OnProgress } from '../data/own/import-pictures.js';
import { LEFT_OUT_KINDS, type LeftOut, type LeftOutKind } from '../data/own/left-out.js';
import { refuseExisting, writeOwnData } from '../data/own/own-data-writer.js';
import { importVoc } from '../data/own/voc-import.js';
import { importYolo } from '../data/own/yolo-import.js';
import { UserError } from '../errors.js';
import { writeDirectoryAtomic } from '../io/atomic/atomic-file.js';
import type { ProgressBar } from './progress.js';
import type { VerbContext } from './verb.js';
import { gsvaCommand } from '../program.js';

/** The annotations to import, checked. */
export type ImportSource =
  | { readonly kind: 'coco'; readonly file: string; readonly images: string }
  | {
      readonly kind: 'labelme';
      readonly folder: string;
      readonly images: string | null;
      readonly perShape: boolean;
      readonly fill: Fill;
    }
  | { readonly kind: 'yolo'; readonly file: string }
  | { readonly kind: 'voc'; readonly folder: string };

/** What an import was asked for, checked. */
export interface ImportRequest {
  readonly source: ImportSource;
  readonly out: string;
  /** Share of the images. */
  readonly val: number;
  readonly absent: number;
  readonly seed: number;
  readonly overwrite: boolean;
  readonly keepIncomplete: boolean;
  /** Writes nothing where an entry had to be left out with which something is wrong. */
  readonly strict: boolean;
  /** Entries listed of each kind, at most. */
  readonly show: number;
}

interface Loaded extends Imported {
  readonly embedded?: ReadonlyMap<string, string>;
}

/** @returns the exit code: 1 where `strict` found something wrong */
export async function runImport(request: ImportRequest, context: VerbContext): Promise<number> {
  const { out, overwrite, strict } = request;
  const { output } = context;
  refuseExisting(out, overwrite);
  const pictures = picturesFolder(out);
  let progress: ProgressBar | null = null;
  const onProgress: OnProgress = (done, total) => {
    context.signal.throwIfAborted();
    if (total === 0) return;
    progress ??= context.startProgress('import', total);
    progress.update(done);
  };
  const stopProgress = (): void => progress?.stop();
  const { images, leftOut, embedded } = await load(request, pictures, onProgress).finally(stopProgress);
  listLeftOut(leftOut, request, context);
  const counted = Object.fromEntries(
    (Object.keys(LEFT_OUT_KINDS) as LeftOutKind[]).map((kind) => [kind, leftOut.count(kind)]),
  );
  const found = { leftOut: counted, faults: leftOut.faults, entries: leftOut.entries };
  if (strict && leftOut.faults > 0) {
    output.line(`${out}: not written, since ${leftOut.faults} entries are wrong (--strict)`);
    output.json({ out, written: false, ...found });
    return 1;
  }
  const isDivided = images.some(({ split }) => split !== undefined && split !== null);
  if (isDivided && request.val > 0) {
    throw new UserError(`the annotations are divided into train and val already; leave out --val`);
  }
  if (embedded !== undefined && embedded.size > 0) {
    refuseExisting(pictures, overwrite);
    await writeEmbedded(pictures, embedded);
    context.note(`${embedded.size} pictures were only in the JSON files; they are in ${pictures} now`);
  }
  const counts = writeOwnData(out, images, request);
  output.line(
    `${out}: ${counts.images} images (${counts.val} for val), ${counts.expressions} expressions, ` +
      `${counts.absent} of them absent`,
  );
  output.line(gsvaCommand(`data validate ${out}`));
  output.json({ out, written: true, ...counts, ...found });
  return 0;
}

function load({ source, keepIncomplete }: ImportRequest, pictures: string, onProgress: OnProgress): Promise<Loaded> {
  switch (source.kind) {
    case 'coco':
      return importCoco(source.file, source.images, { keepIncomplete }, onProgress);
    case 'labelme':
      return importLabelme(source.folder, { ...source, keepIncomplete, embeddedInto: pictures }, onProgress);
    case 'yolo':
      return importYolo(source.file, { keepIncomplete }, onProgress);
    case 'voc':
      return importVoc(source.folder, { keepIncomplete }, onProgress);
  }
}

function listLeftOut(leftOut: LeftOut, { show }: ImportRequest, context: VerbContext): void {
  for (const kind of leftOut.kinds) {
    const count = leftOut.count(kind);
    context.note(`${kind === 'repeatedIds' ? 'found' : 'left out'}: ${count} ${LEFT_OUT_KINDS[kind].title}`);
    for (const { what } of leftOut.entries.filter((entry) => entry.kind === kind).slice(0, show)) {
      context.note(`  ${what}`);
    }
    if (count > show) context.note(`  and ${count - show} more (--show ${count} lists them)`);
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
