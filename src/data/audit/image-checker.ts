/** Checks presence and annotated size of image files. Only the beginning of a file is read, once for all datasets. */
import { existsSync } from 'node:fs';
import { messageOf } from '../../errors.js';
import { readImageSize } from '../../io/image/image-file.js';
import { type Size as ImageSize, sizeMismatch } from '../image/size-mismatch.js';
import type { ProblemList } from './problems.js';
import type { JsonPlace } from '../annotation-files.js';
import type { CatalogueEntry, Figures } from '../catalogue/entry.js';

export interface ExpectedImage {
  readonly path: string;
  /** As annotated, or the path of an image of the same size; null where unknown. */
  readonly size: ImageSize | string | null;
  /** Source of the size or need, for messages. */
  readonly by: string;
}

/** Headers asked for at the same time: enough for Node's threads. */
const AT_ONCE = 32;
/** height × this + width; larger pictures are not read at all. */
const BASE = 2 ** 20;

export class ImageChecker {
  /** State of a path: its size in one number, or its fault. */
  private readonly known = new Map<string, number | string>();

  /** @param onProgress called with the finished part of a list; may throw to end the work */
  constructor(private readonly onProgress: (done: number, total: number) => void = () => undefined) {}

  async check(expected: readonly ExpectedImage[], problems: ProblemList): Promise<void> {
    for (let done = 0; done < expected.length;) {
      const images = expected.slice(done, done + AT_ONCE);
      await Promise.all(
        images
          .flatMap(({ path, size }) => [path, ...(typeof size === 'string' ? [size] : [])])
          .map((path) => this.read(path)),
      );
      // In the order of the list, whichever was read first.
      for (const image of images) await this.compare(image, problems);
      done += images.length;
      this.onProgress(done, expected.length);
    }
  }

  private async compare({ path, size, by }: ExpectedImage, problems: ProblemList): Promise<void> {
    const found = this.usableSize(path, by, problems);
    const wanted = typeof size === 'string' ? this.usableSize(size, by, problems) : size;
    if (found === null || wanted === null || (wanted.height === found.height && wanted.width === found.width)) return;
    problems.add('size mismatch', `${path}: ${await sizeMismatch(path, found, wanted, `but ${by} is for`)}`);
  }

  /** Null, and a problem, where there is none. */
  private usableSize(path: string, by: string, problems: ProblemList): ImageSize | null {
    const found = this.known.get(path) ?? '';
    if (typeof found === 'number') return { height: Math.floor(found / BASE), width: found % BASE };
    const isMissing = !existsSync(path);
    problems.add(isMissing ? 'missing image' : 'unreadable image', isMissing ? `${path} (${by})` : `${found} (${by})`);
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

/** @throws UserError where it leads out of the folder that it is joined to: the readers refuse such a file. */
export function insideFileName(place: JsonPlace): string {
  const name = place.text();
  const isInside = name.split('/').every((step) => step !== '' && step !== '.' && step !== '..');
  if (isInside && !/[\\\0]/.test(name)) return name;
  throw place.wrong('a file name, which may stand in folders but not lead out of them');
}

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
