/**
 * Whether image files are there and of the size that the annotations say. Only the beginning of a file is read, and that
 * once, however many datasets share it.
 */
import { existsSync } from 'node:fs';

import { messageOf } from '../../errors.js';
import { readImageSize } from '../../io/image-file.js';
import type { ProblemList } from './problems.js';

interface ImageSize {
  readonly height: number;
  readonly width: number;
}

export interface ExpectedImage {
  readonly path: string;
  /** As annotated, or the path of an image of the same size; null where nothing says it. */
  readonly size: ImageSize | string | null;
  /** Who says so or needs it, for messages. */
  readonly by: string;
}

/** Headers read at the same time: as many as Node has threads for files. */
const AT_ONCE = 4;
/** height × this + width; larger pictures are not read at all. */
const BASE = 2 ** 20;

export class ImageChecker {
  /** What is known of a path: its size in one number, or what is wrong. */
  private readonly known = new Map<string, number | string>();

  /** @param onProgress is told how many of a list are done; may throw to end the work */
  constructor(private readonly onProgress: (done: number, total: number) => void = () => undefined) {}

  async check(expected: readonly ExpectedImage[], problems: ProblemList): Promise<void> {
    let next = 0;
    let done = 0;
    const work = async (): Promise<void> => {
      for (let image = expected[next++]; image !== undefined; image = expected[next++]) {
        await this.checkOne(image, problems);
        this.onProgress(++done, expected.length);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  private async checkOne({ path, size, by }: ExpectedImage, problems: ProblemList): Promise<void> {
    const found = await this.usableSize(path, by, problems);
    const wanted = typeof size === 'string' ? await this.usableSize(size, by, problems) : size;
    if (found === null || wanted === null || (wanted.height === found.height && wanted.width === found.width)) return;
    problems.add(
      'size mismatch',
      `${path} has ${found.width} × ${found.height} pixels, but ${by} is for ${wanted.width} × ${wanted.height}`,
    );
  }

  /** Null, and a problem, where there is none. */
  private async usableSize(path: string, by: string, problems: ProblemList): Promise<ImageSize | null> {
    const found = await this.sizeOf(path);
    if (typeof found === 'number') return { height: Math.floor(found / BASE), width: found % BASE };
    const isMissing = !existsSync(path);
    problems.add(isMissing ? 'missing image' : 'unreadable image', isMissing ? `${path} (${by})` : `${found} (${by})`);
    return null;
  }

  private async sizeOf(path: string): Promise<number | string> {
    const known = this.known.get(path);
    if (known !== undefined) return known;
    let found: number | string;
    try {
      const { height, width } = await readImageSize(path);
      found = height * BASE + width;
    } catch (error) {
      found = messageOf(error);
    }
    this.known.set(path, found);
    return found;
  }
}
