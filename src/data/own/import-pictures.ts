/** The pictures of an import: found by their names, opened, and compared with the annotated size. */
import { UserError } from '../../errors.js';
import { readImageSize } from '../../io/image/image-file.js';
import { type Size, sizeMismatch } from '../image/size-mismatch.js';
import type { ImageDraft, ImageDrafts } from './image-drafts.js';
import type { ImageFinder } from './image-finder.js';
import type { LeftOut } from './left-out.js';

/** Headers read at the same time: enough for Node's threads. */
const AT_ONCE = 32;

/** Progress of an import; may throw to end it. */
export type OnProgress = (done: number, total: number) => void;

export interface WantedPicture {
  /** The name, as the annotations write it. */
  readonly name: string;
  /** In pixels, upright; null where the annotations lack it. */
  readonly size: Size | null;
  /** Place of its name in the annotations, for messages. */
  readonly place: string;
}

/**
 * Opens the header of each picture. One that is missing, unreadable or of another size is left out. @returns a draft
 * for each of the list, or null
 */
export async function openPictures(
  wanted: readonly WantedPicture[],
  finder: ImageFinder,
  drafts: ImageDrafts,
  leftOut: LeftOut,
  onProgress: OnProgress,
): Promise<(ImageDraft | null)[]> {
  const opened: (ImageDraft | null)[] = [];
  for (let first = 0; first < wanted.length; first += AT_ONCE) {
    onProgress(first, wanted.length);
    const found = wanted.slice(first, first + AT_ONCE).map(async (picture): Promise<Looked> => {
      const file = finder.find(picture.name);
      if ('path' in file) return { picture, ...(await openPicture(file.path, picture)) };
      return {
        picture,
        kind: 'missingImages',
        fault: `${picture.place}: ${JSON.stringify(picture.name)}: ${file.fault}`,
      };
    });
    // In the order of the list, whichever was read first.
    for (const each of await Promise.all(found)) {
      if ('kind' in each) leftOut.add(each.kind, each.fault);
      opened.push('kind' in each ? null : drafts.of(each.path, each.size, each.picture.place));
    }
  }
  return opened;
}

type Looked = { readonly picture: WantedPicture } & (
  Opened | { readonly kind: 'missingImages'; readonly fault: string }
);

type Opened =
  | { readonly path: string; readonly size: Size }
  | { readonly kind: 'unreadableImages' | 'otherSizes'; readonly fault: string };

/** The header of one picture that is there. */
export async function openPicture(path: string, { size: wanted, place }: Omit<WantedPicture, 'name'>): Promise<Opened> {
  try {
    const size = await readImageSize(path);
    if (wanted === null || (wanted.height === size.height && wanted.width === size.width)) return { path, size };
    const fault = await sizeMismatch(path, size, wanted, 'the annotations are for');
    return { kind: 'otherSizes', fault: `${place}: ${path}: ${fault}` };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { kind: 'unreadableImages', fault: `${place}: ${error.message}` };
  }
}
