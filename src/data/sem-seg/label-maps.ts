/**
 * Label maps: the classes that their numbers stand for, with masks, and evaluation on them, of each class alone (ADE20K;
 * paper, section D) or of all together (Mapillary).
 */
import { basename } from 'node:path';
import { UserError } from '../../errors.js';
import { type LabelMap, readIndexPng } from '../../io/image/index-png.js';
import type { BinaryMask } from '../../types.js';
import type { EvaluatedDataset, EvaluatedTarget, ReferringImage } from '../refer/refer-dataset.js';

/** The class that each number stands for; null where the set's rules leave it out. */
export type NumberedClasses = readonly (string | null)[];

/** Pixels of no class, in every set. */
const NO_CLASS = 255;

interface PresentClass {
  readonly value: number;
  readonly name: string;
}

/** Classes of a label map by number. @throws UserError where it has a number that stands for nothing */
export function presentClasses(labels: LabelMap, classes: NumberedClasses, path: string): PresentClass[] {
  const pixels = new Uint32Array(256);
  for (const value of labels.data) pixels[value] = (pixels[value] as number) + 1;
  const present: PresentClass[] = [];
  for (const [value, count] of pixels.entries()) {
    if (count === 0 || value === NO_CLASS) continue;
    const name = classes[value];
    if (name === undefined) {
      throw new UserError(
        `Reading ${path}: ${count} of its pixels have the class number ${value}; expected 0 to ${classes.length - 1}, ` +
          `or ${NO_CLASS} for none. Use the published file.`,
      );
    }
    if (name !== null) present.push({ value, name });
  }
  return present;
}

/** Where a label map has the number. */
export function classMask({ data, height, width }: LabelMap, value: number): BinaryMask {
  const inside = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) if (data[i] === value) inside[i] = 1;
  return { data: inside, height, width };
}

/** Where a label map has no class that is asked for. */
function noClassMask({ data, height, width }: LabelMap, classes: NumberedClasses): BinaryMask {
  const inside = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) if ((classes[data[i] as number] ?? null) === null) inside[i] = 1;
  return { data: inside, height, width };
}

/** Paths of a picture and its label map. */
export interface LabelMapFiles {
  readonly image: string;
  readonly labels: string;
}

export interface LabelMaps {
  readonly images: readonly LabelMapFiles[];
  readonly classes: NumberedClasses;
}

export class LabelMapEvaluation implements EvaluatedDataset {
  readonly images: readonly ReferringImage[];
  /** The one that was looked at last: its size, its classes and their masks are asked for one after the other. */
  private last: { readonly path: string; readonly map: LabelMap; readonly classes: PresentClass[] } | null = null;

  /**
   * @param form of the questions about one class at a time; null for all classes of the image in one question
   * @param sparesNoClass whether pixels of no class are left out of the judgement, or count against a mask on them
   */
  constructor(
    private readonly dataset: LabelMaps,
    private readonly form: 'class' | null = 'class',
    private readonly sparesNoClass = false,
  ) {
    this.images = dataset.images.map((files, imageId) => this.imageOf(files, imageId));
  }

  /** @throws UserError where the label map is missing or malformed */
  targets({ imageId }: ReferringImage): EvaluatedTarget[] {
    const files = this.dataset.images[imageId];
    if (files === undefined) throw new RangeError(`LabelMapEvaluation: no image ${imageId}`);
    const { map, classes } = this.read(files.labels);
    const form = this.form === null ? {} : { form: this.form };
    const ignored = this.sparesNoClass ? { ignored: noClassMask(map, this.dataset.classes) } : {};
    return classes.map(({ name, value }) => {
      return { expression: name, isEmpty: false, mask: classMask(map, value), ...form, ...ignored };
    });
  }

  /** Size and classes are found in the label map when they are first asked for: reading all of them takes minutes. */
  private imageOf({ image: path, labels }: LabelMapFiles, imageId: number): ReferringImage {
    let found: Pick<ReferringImage, 'height' | 'width' | 'expressions'> | null = null;
    const facts = (): NonNullable<typeof found> => {
      if (found !== null) return found;
      const { map, classes } = this.read(labels);
      const expressions = classes.map(({ name, value }) => ({ text: name, annotationIds: [value], isEmpty: false }));
      return (found = { height: map.height, width: map.width, expressions });
    };
    return {
      imageId,
      path,
      fileName: basename(path),
      get height() {
        return facts().height;
      },
      get width() {
        return facts().width;
      },
      get expressions() {
        return facts().expressions;
      },
    };
  }

  private read(path: string) {
    if (this.last?.path === path) return this.last;
    const map = readIndexPng(path);
    return (this.last = { path, map, classes: presentClasses(map, this.dataset.classes, path) });
  }
}
