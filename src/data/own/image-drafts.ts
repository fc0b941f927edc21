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
import { LeftOut } from './left-out.js';
import type { ImportedImage, WrittenMask } from './own-data-writer.js';

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
    private readonly leftOut: LeftOut,
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
