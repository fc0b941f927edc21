/**
 * Images of an import, opened and compared with their annotated size. One file is one image, however often it is
 * listed: its objects are joined before masks are joined by their words. Nothing annotated in any form is asked for as
 * absent.
 */
import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '../../errors.js';
import { readImageSize } from '../../io/image/image-file.js';
import { type Size, sizeMismatch } from '../image/size-mismatch.js';
import type { ImportedImage, WrittenMask } from './own-data-writer.js';

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

/** Entries that an import leaves out: counted by kind and listed, so that one bad entry is not the end of it. */
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

export interface Imported {
  /** With one expression or more, in the order of the annotations. */
  readonly images: readonly ImportedImage[];
  readonly leftOut: LeftOut;
}

/** Progress of an import; may throw to end it. */
export type OnProgress = (done: number, total: number) => void;

/** Reads a file or folder of annotations; with `keepIncomplete`, masks that lack an object of the image are kept. */
export type Importer = (
  source: string,
  options: { readonly keepIncomplete: boolean },
  onProgress?: OnProgress,
) => Promise<Imported>;

interface DraftExpression {
  readonly text: string;
  readonly polygons: (readonly number[])[];
  readonly others: WrittenMask[];
  /** Why pixels of it are missing; null where none are known to be. */
  lacks: string | null;
}

/** An image to which annotations are added. */
export class ImageDraft {
  split: ImportedImage['split'] = null;
  private readonly expressions = new Map<string, DraftExpression>();
  /** In lower case. */
  private readonly annotated = new Set<string>();
  /** Names that were looked for and not found, in lower case → as written; null where nobody wrote down which. */
  private verified: Map<string, string> | null = null;
  private isUncertain = false;

  /** @param place the image in the annotations, for messages */
  constructor(
    readonly path: string,
    readonly size: Size,
    readonly place: string,
    readonly leftOut: LeftOut,
  ) {}

  /**
   * Adds an object of the image.
   * @param masks none for an object without a pixel inside the image, which is reported
   * @param place of the object in the annotations
   * @param part separates objects of the same words
   */
  add(text: string, masks: readonly WrittenMask[], place: string, part = ''): void {
    this.annotated.add(text.toLowerCase());
    if (masks.length === 0) {
      this.leftOut.add('emptyMasks', `${place}: ${JSON.stringify(text)}`);
      return;
    }
    const expression = this.expressionOf(text, part);
    for (const mask of masks) {
      if ('polygons' in mask) for (const polygon of mask.polygons) expression.polygons.push(polygon);
      else expression.others.push(mask);
    }
  }

  /** Notes an object that the image shows, of which the pixels are not known: a mask of these words would lack it. */
  addWithoutMask(text: string, why: string, part = ''): void {
    this.annotated.add(text.toLowerCase());
    this.expressionOf(text, part).lacks ??= why;
  }

  /** Notes that the image shows something whose name is not known: nothing can be said to be absent then. */
  addNameless(): void {
    this.isUncertain = true;
  }

  /** Notes the names that are known to be absent; where this is noted of any image, of all others nothing is known. */
  verifyAbsent(texts: readonly string[]): void {
    this.verified ??= new Map();
    for (const text of texts) this.verified.set(text.toLowerCase(), text);
  }

  /** @param keepIncomplete whether masks that lack an object are kept */
  finish(keepIncomplete: boolean): ImportedImage {
    const { path, size, split, annotated } = this;
    const expressions = [...this.expressions.values()].flatMap(({ text, polygons, others, lacks }) => {
      const masks = polygons.length === 0 ? others : [{ polygons }, ...others];
      if (masks.length === 0) return [];
      if (lacks !== null) this.leftOut.add('incomplete', `${this.place}: ${JSON.stringify(text)}: ${lacks}`);
      return lacks === null || keepIncomplete ? [{ text, masks }] : [];
    });
    const knownAbsent = this.isUncertain ? [] : this.verified === null ? null : [...this.verified.values()];
    return { path, ...size, split, expressions, annotated, knownAbsent };
  }

  private expressionOf(text: string, part: string): DraftExpression {
    const key = `${text.toLowerCase()}\n${part}`;
    let own = this.expressions.get(key);
    if (own === undefined) this.expressions.set(key, (own = { text, polygons: [], others: [], lacks: null }));
    return own;
  }
}

/** A picture with its size, or why it is left out. */
export type Opened =
  | { readonly path: string; readonly size: Size }
  | { readonly kind: 'missingImages' | 'unreadableImages' | 'otherSizes'; readonly fault: string };

/** Images by their files, in the order in which they are met. */
export class ImageDrafts {
  readonly leftOut = new LeftOut();
  private readonly byFile = new Map<string, ImageDraft>();

  constructor(readonly onProgress: OnProgress = () => undefined) {}

  /** Takes one item of the annotations after the other. */
  async each<T>(items: readonly T[], take: (item: T) => Promise<void>): Promise<void> {
    for (const [index, item] of items.entries()) {
      this.onProgress(index, items.length);
      await take(item);
    }
    this.onProgress(items.length, items.length);
  }

  /** The draft of a file, the same for every name of it; one that is yet to be written has one name. */
  of(path: string, size: Size, place: string): ImageDraft {
    const file = existsSync(path) ? realpathSync(path) : resolve(path);
    let draft = this.byFile.get(file);
    if (draft === undefined) this.byFile.set(file, (draft = new ImageDraft(path, size, place, this.leftOut)));
    return draft;
  }

  /** The draft of a picture that was looked at; null where it is left out. */
  take(opened: Opened, place: string): ImageDraft | null {
    if ('path' in opened) return this.of(opened.path, opened.size, place);
    this.leftOut.add(opened.kind, opened.fault);
    return null;
  }

  /** Those with an expression; the others are left out. */
  finish(keepIncomplete: boolean): Imported {
    const images = [...this.byFile.values()].flatMap((draft) => {
      const image = draft.finish(keepIncomplete);
      if (image.expressions.length > 0) return [image];
      this.leftOut.add('withoutMasks', draft.place);
      return [];
    });
    return { images, leftOut: this.leftOut };
  }
}

/**
 * The header of one picture that is there.
 * @param wanted size by the annotations, upright; null where they lack it
 * @param place of its name in the annotations, for messages
 */
export async function openPicture(path: string, wanted: Size | null, place: string): Promise<Opened> {
  try {
    const size = await readImageSize(path);
    const fault = wanted === null ? null : await sizeMismatch(path, size, wanted, 'the annotations are for');
    return fault === null ? { path, size } : { kind: 'otherSizes', fault: `${place}: ${path}: ${fault}` };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { kind: 'unreadableImages', fault: `${place}: ${error.message}` };
  }
}
