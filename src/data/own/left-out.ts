/** Entries that an import leaves out: counted by kind and listed with its place, so that one bad entry is not the end of it. */
import { UserError } from '../../errors.js';

/** Each kind in words, after the number, and whether the annotations are at fault; others are merely of no use here. */
export const LEFT_OUT_KINDS = {
  missingImages: { title: 'images that are missing', isFault: true },
  unreadableImages: { title: 'images that cannot be read', isFault: true },
  otherSizes: { title: 'images of another size than their annotations say', isFault: true },
  badEntries: { title: 'entries that cannot be read', isFault: true },
  repeatedIds: { title: 'ids used twice (all of these are used)', isFault: true },
  unknownImages: { title: 'annotations of images that the file does not have', isFault: true },
  unknownCategories: { title: 'annotations of categories that the file does not have', isFault: true },
  unknownShapes: { title: 'shapes of a type that is not known', isFault: true },
  emptyMasks: { title: 'masks without a pixel inside the image', isFault: true },
  boxes: { title: 'objects that have only a box, no mask', isFault: false },
  shapes: { title: 'points and lines, which have no inside', isFault: false },
  incomplete: { title: 'expressions whose mask would lack an object of the image', isFault: false },
  withoutMasks: { title: 'images without a mask', isFault: false },
} as const;
export type LeftOutKind = keyof typeof LEFT_OUT_KINDS;

/** A file whose every entry is wrong must not fill the memory. */
const MOST_ENTRIES = 10_000;
/** Texts of files stand in the entries. */
const MOST_CHARACTERS = 600;

export class LeftOut {
  private readonly counts = new Map<LeftOutKind, number>();
  /** In the order of their finding, as far as they are kept; a text begins with the place: file and entry. */
  readonly entries: { readonly kind: LeftOutKind; readonly what: string }[] = [];

  add(kind: LeftOutKind, what: string): void {
    this.counts.set(kind, this.count(kind) + 1);
    if (this.entries.length < MOST_ENTRIES) this.entries.push({ kind, what: what.slice(0, MOST_CHARACTERS) });
  }

  count(kind: LeftOutKind): number {
    return this.counts.get(kind) ?? 0;
  }

  /** Kinds in the order of the table, only those that occurred. */
  get kinds(): LeftOutKind[] {
    return (Object.keys(LEFT_OUT_KINDS) as LeftOutKind[]).filter((kind) => this.count(kind) > 0);
  }

  /** Entries with which something is wrong. */
  get faults(): number {
    return this.kinds.reduce((sum, kind) => sum + (LEFT_OUT_KINDS[kind].isFault ? this.count(kind) : 0), 0);
  }

  /** The value of `read`, null where it ends in a UserError: the entry is then left out. */
  guard<T>(read: () => T): T | null {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.add('badEntries', error.message);
      return null;
    }
  }
}
