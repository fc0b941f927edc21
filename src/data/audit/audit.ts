/** Parts that the audits of all datasets share: problems, checks of image files and masks. */
import { existsSync } from 'node:fs';
import { messageOf, UserError } from '../../errors.js';
import { readImageSize } from '../../io/image/image-file.js';
import type { TakePlace } from '../annotation-files.js';
import type { CatalogueEntry, Figures } from '../catalogue/entry.js';
import { type Size, sizeMismatch } from '../image/size-mismatch.js';
import { annotationToRle, isPolygon } from '../masks/coco-mask-annotation.js';
import { rleArea } from '../masks/coco-mask.js';

export const ADVICE = 'Use the published file.';

export interface AuditedFigures {
  /** By split, in the order of the files. */
  readonly splits: Readonly<Record<string, Figures>>;
  /** Different images of all splits together. */
  readonly images: number;
  /** Notes on files that were not checked in full. */
  readonly notes?: readonly string[];
}

export interface AuditInput {
  readonly dataDir: string;
  readonly entry: CatalogueEntry;
  /** Looks into masks and image files too, not only into annotations. */
  readonly isThorough: boolean;
  readonly images: ImageChecker;
  readonly problems: ProblemList;
}

/** Annotations are read here record by record; nothing is kept of them but ids and counts. */
export type Audit = (input: AuditInput) => Promise<AuditedFigures>;

/** Problems in the order of the report. */
const PROBLEM_KINDS = [
  'missing file',
  'unreadable file',
  'unusable record',
  'id used twice',
  'broken reference',
  'empty expression',
  'invalid mask',
  'unusable label map',
  'missing image',
  'unreadable image',
  'size mismatch',
  'image in two splits',
] as const;
type ProblemKind = (typeof PROBLEM_KINDS)[number];

const MOST_EXAMPLES = 5;
/** Examples may contain texts of files. */
const MOST_CHARACTERS = 500;

/** Problems of a dataset: counted by kind, with a few examples of each. */
export class ProblemList {
  private readonly byKind = new Map<ProblemKind, { count: number; readonly examples: string[] }>();

  add(kind: ProblemKind, example: string): void {
    const entry = this.byKind.get(kind) ?? { count: 0, examples: [] };
    this.byKind.set(kind, entry);
    entry.count++;
    if (entry.examples.length < MOST_EXAMPLES) entry.examples.push(example.slice(0, MOST_CHARACTERS));
  }

  /** Runs work on one record; a UserError makes the record a problem, and the next one follows. */
  guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.add('unusable record', error.message);
    }
  }

  /** A taker of records with that guard around each. */
  guarded(take: TakePlace): TakePlace {
    return (record, index) => {
      this.guard(() => {
        take(record, index);
      });
    };
  }

  /** Those of each kind; the examples are the first ones, each a sentence with file and record. */
  get list() {
    return PROBLEM_KINDS.flatMap((kind) => {
      const entry = this.byKind.get(kind);
      return entry === undefined ? [] : [{ kind, ...entry }];
    });
  }
}

export interface ExpectedImage {
  readonly path: string;
  /** As annotated, or the path of an image of the same size; null where unknown. */
  readonly size: Size | string | null;
  /** Source of the size or need, for messages. */
  readonly by: string;
}

/** Headers asked for at the same time: enough for Node's threads. */
const AT_ONCE = 32;
/** height × this + width; larger pictures are not read at all. */
const BASE = 2 ** 20;

/** Checks presence and annotated size of image files. Only the beginning of a file is read, once for all datasets. */
export class ImageChecker {
  /** State of a path: its size in one number, or its fault. */
  private readonly known = new Map<string, number | string>();

  /** @param onProgress called with the finished part of a list; may throw to end the work */
  constructor(private readonly onProgress: (done: number, total: number) => void = () => undefined) {}

  async check(expected: readonly ExpectedImage[], problems: ProblemList): Promise<void> {
    for (let done = 0; done < expected.length;) {
      const images = expected.slice(done, done + AT_ONCE);
      const paths = images.flatMap(({ path, size }) => (typeof size === 'string' ? [path, size] : [path]));
      await Promise.all(paths.map((path) => this.read(path)));
      // In the order of the list, whichever was read first.
      for (const image of images) await this.compare(image, problems);
      done += images.length;
      this.onProgress(done, expected.length);
    }
  }

  private async compare({ path, size, by }: ExpectedImage, problems: ProblemList): Promise<void> {
    const found = this.usableSize(path, by, problems);
    const wanted = typeof size === 'string' ? this.usableSize(size, by, problems) : size;
    if (found === null || wanted === null) return;
    const fault = await sizeMismatch(path, found, wanted, `but ${by} is for`);
    if (fault !== null) problems.add('size mismatch', `${path}: ${fault}`);
  }

  /** Null, and a problem, where there is none. */
  private usableSize(path: string, by: string, problems: ProblemList): Size | null {
    const found = this.known.get(path) ?? '';
    if (typeof found === 'number') return { height: Math.floor(found / BASE), width: found % BASE };
    if (existsSync(path)) problems.add('unreadable image', `${found} (${by})`);
    else problems.add('missing image', `${path} (${by})`);
    return null;
  }

  private async read(path: string): Promise<void> {
    if (this.known.has(path)) return;
    try {
      const { height, width } = await readImageSize(path);
      this.known.set(path, height * BASE + width);
    } catch (error) {
      this.known.set(path, messageOf(error));
    }
  }
}

/** Fault of an annotation's `segmentation` in words, null for a sound mask. An empty list means "no pixel" on purpose (Ref-ZOM, RefCLEF). */
export function maskFault(segmentation: unknown, { height, width }: Size): string | null {
  if (Array.isArray(segmentation)) {
    if (segmentation.length === 0) return null;
    const bad = segmentation.find((part: unknown) => Array.isArray(part) && !isPolygon(part)) as unknown[] | undefined;
    if (bad !== undefined) {
      return bad.length % 2 === 0
        ? `a polygon has ${bad.length / 2} points; expected 3 or more`
        : `a polygon has ${bad.length} coordinates, an odd number`;
    }
  }
  try {
    const rle = annotationToRle(segmentation, height, width);
    return rle !== null && rleArea(rle) > 0 ? null : 'it has no pixel inside of the image';
  } catch (error) {
    return messageOf(error);
  }
}
