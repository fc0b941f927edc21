/** The work behind `gsva data import`. */
import { importCoco } from '../data/own/coco-import.js';
import { importLabelme } from '../data/own/labelme-import.js';
import { type ImportedImage, refuseExisting, writeOwnData } from '../data/own/own-data-writer.js';
import type { ProgressBar } from './progress.js';
import type { VerbContext } from './verb.js';
import { gsvaCommand } from '../program.js';

/** What an import was asked for, checked. */
export interface ImportRequest {
  readonly source:
    | { readonly kind: 'coco'; readonly file: string; readonly images: string }
    | { readonly kind: 'labelme'; readonly folder: string; readonly perShape: boolean };
  readonly out: string;
  /** Share of the images. */
  readonly val: number;
  readonly absent: number;
  readonly seed: number;
  readonly overwrite: boolean;
}

/** Images that can be written, and what was left out: sentences for people, numbers for programs. */
interface Imported {
  readonly images: readonly ImportedImage[];
  readonly notes: readonly string[];
  readonly leftOut: Readonly<Record<string, number>>;
}

type OnProgress = (done: number, total: number) => void;

/** @returns the exit code */
export async function runImport(request: ImportRequest, context: VerbContext): Promise<number> {
  const { source, out, overwrite } = request;
  const { output } = context;
  refuseExisting(out, overwrite);
  let progress: ProgressBar | null = null;
  const onProgress: OnProgress = (done, total) => {
    context.signal.throwIfAborted();
    progress ??= context.startProgress('import', total);
    progress.update(done);
  };
  const stopProgress = (): void => progress?.stop();
  const importing = source.kind === 'coco' ? fromCoco(source, onProgress) : fromLabelme(source, onProgress);
  const { images, notes, leftOut } = await importing.finally(stopProgress);
  const counts = writeOwnData(out, images, request);
  for (const note of notes) context.note(note);
  output.line(
    `${out}: ${counts.images} images (${counts.val} for val), ${counts.expressions} expressions, ` +
      `${counts.absent} of them absent`,
  );
  output.line(gsvaCommand(`data validate ${out}`));
  output.json({ out, ...counts, leftOut });
  return 0;
}

async function fromCoco(
  { file, images: folder }: { readonly file: string; readonly images: string },
  onProgress: OnProgress,
): Promise<Imported> {
  const { images, missing, withoutMasks, emptyAnnotations } = await importCoco(file, folder, onProgress);
  const notes: string[] = [];
  if (missing.length > 0)
    notes.push(`left out: ${missing.length} images that are missing, the first ${missing[0] ?? ''}`);
  if (withoutMasks > 0) notes.push(`left out: ${withoutMasks} images without a mask`);
  if (emptyAnnotations > 0) notes.push(`left out: ${emptyAnnotations} annotations without a pixel inside the image`);
  return { images, notes, leftOut: { missingImages: missing.length, withoutMasks, emptyAnnotations } };
}

async function fromLabelme(
  { folder, perShape }: { readonly folder: string; readonly perShape: boolean },
  onProgress: OnProgress,
): Promise<Imported> {
  const { images, withoutMasks, leftOut } = await importLabelme(folder, { perShape }, onProgress);
  const notes = [...leftOut].map(
    ([type, count]) =>
      `left out: ${count} shapes of type ${JSON.stringify(type)} (only polygon, rectangle and circle have an inside)`,
  );
  if (withoutMasks > 0) notes.push(`left out: ${withoutMasks} files without a mask`);
  const shapes = [...leftOut.values()].reduce((sum, count) => sum + count, 0);
  return { images, notes, leftOut: { withoutMasks, shapes } };
}
