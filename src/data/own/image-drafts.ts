/**
 * Images of an import. One file is one image, however often it is listed: its objects are joined before masks are
 * joined by their words. Nothing annotated in any form is asked for as absent.
 */
import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { LeftOut } from './left-out.js';
import type { ImportedImage, WrittenMask } from './own-data-writer.js';
import type { OwnSplit } from './own-data-line.js';

interface DraftExpression {
  readonly text: string;
  readonly polygons: (readonly number[])[];
  readonly others: WrittenMask[];
  /** Why pixels of it are missing; null where none are known to be. */
  lacks: string | null;
}

/** An image to which annotations are added. */
export class ImageDraft {
  split: OwnSplit | null = null;
  private readonly expressions = new Map<string, DraftExpression>();
  /** In lower case. */
  private readonly annotated = new Set<string>();
  /** Names that were looked for and not found, in lower case → as written; null where nobody wrote down which. */
  private verified: Map<string, string> | null = null;
  private isUncertain = false;

  constructor(
    readonly path: string,
    readonly height: number,
    readonly width: number,
    /** The image in the annotations, for messages. */
    readonly place: string,
  ) {}

  /**
   * Adds an object of the image.
   * @param masks none for an object without a pixel inside the image
   * @param part separates objects of the same words
   */
  add(text: string, masks: readonly WrittenMask[], part = ''): void {
    this.annotated.add(text.toLowerCase());
    if (masks.length === 0) return;
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
  finish(leftOut: LeftOut, keepIncomplete: boolean): ImportedImage {
    const { path, height, width, split } = this;
    const expressions: { text: string; masks: WrittenMask[] }[] = [];
    for (const { text, polygons, others, lacks } of this.expressions.values()) {
      const masks = polygons.length === 0 ? others : [{ polygons }, ...others];
      if (masks.length === 0) continue;
      if (lacks !== null) leftOut.add('incomplete', `${this.place}: ${JSON.stringify(text)}: ${lacks}`);
      if (lacks === null || keepIncomplete) expressions.push({ text, masks });
    }
    const knownAbsent = this.isUncertain ? [] : this.verified === null ? null : [...this.verified.values()];
    return { path, height, width, split, expressions, annotated: this.annotated, knownAbsent };
  }

  private expressionOf(text: string, part: string): DraftExpression {
    const key = `${text.toLowerCase()}\n${part}`;
    let own = this.expressions.get(key);
    if (own === undefined) this.expressions.set(key, (own = { text, polygons: [], others: [], lacks: null }));
    return own;
  }
}

/** Images by their files, in the order in which they are met. */
export class ImageDrafts {
  private readonly byFile = new Map<string, ImageDraft>();

  /** The draft of a file, the same for every name of it; one that is yet to be written has one name. */
  of(path: string, size: { readonly height: number; readonly width: number }, place: string): ImageDraft {
    const file = existsSync(path) ? realpathSync(path) : resolve(path);
    let draft = this.byFile.get(file);
    if (draft === undefined) this.byFile.set(file, (draft = new ImageDraft(path, size.height, size.width, place)));
    return draft;
  }

  /** Those with an expression; the others are left out. */
  finish(leftOut: LeftOut, keepIncomplete: boolean): ImportedImage[] {
    return [...this.byFile.values()].flatMap((draft) => {
      const image = draft.finish(leftOut, keepIncomplete);
      if (image.expressions.length > 0) return [image];
      leftOut.add('withoutMasks', draft.place);
      return [];
    });
  }
}

/** Rule of filling outlines: COCO's, or LabelMe's own export, with the outline inside. */
export const FILLS = ['coco', 'labelme'] as const;
export type Fill = (typeof FILLS)[number];
