/**
 * Referring segmentation over COCO-style annotations: what gRefCOCO, RefCOCO(+/g), RefCLEF and Ref-ZOM have in common
 * (reference: ReferSegDataset, ValDataset and the REFER classes). Reading the files of one dataset is its own class's
 * work; this one arranges records by image and turns annotations into masks, when asked and not before.
 */
import { UserError, messageOf } from '../errors.js';
import type { ReferringTarget } from '../types.js';
import { annotationToRle } from './coco-mask-annotation.js';
import { type Rle, decodeMask, mergeRles, rleArea } from './coco-mask.js';
import { cleanExpression } from './prompts.js';

/** A test split may be divided: testA, testB and testC, and what belongs to two of them, such as testAB. */
export type ReferSplit = 'train' | 'val' | 'test' | 'testA' | 'testB' | 'testC' | 'testAB' | 'testBC' | 'testAC';

export interface ReferringExpression {
  /** Cleaned of surrounding spaces and dots; in lower case but in training, as in the reference. */
  readonly text: string;
  /** Ids of the annotations that it refers to; none where nothing in the image fits. */
  readonly annotationIds: readonly number[];
  /** Whether its mask has no pixel: what the answer has [REJ] for. Computed when asked. */
  readonly isEmpty: boolean;
}

export interface ReferringImage {
  readonly imageId: number;
  /** As the annotations have it; RefCLEF's lie in folders of their own. */
  readonly fileName: string;
  /** Where the file is, inside the data folder. */
  readonly path: string;
  readonly height: number;
  readonly width: number;
  readonly expressions: readonly ReferringExpression[];
}

/** One entry of the dataset's list: sentences that refer to the same annotations of an image. */
export interface ReferRecord {
  /** Its place in the file, for messages. */
  readonly index: number;
  readonly imageId: number;
  readonly annotationIds: readonly number[];
  readonly sentences: readonly string[];
}

export interface ReferImageFile {
  readonly fileName: string;
  readonly height: number;
  readonly width: number;
}

export interface ReferInstances {
  /** The file, for messages. */
  readonly source: string;
  readonly images: ReadonlyMap<number, ReferImageFile>;
  /** `segmentation` of each annotation, as read. */
  readonly segmentations: ReadonlyMap<number, unknown>;
}

export interface ReferSource {
  /** Name of the dataset and file of the records, for messages. */
  readonly name: string;
  readonly recordsFile: string;
  readonly split: ReferSplit;
  /** Of this split, in the order of the file. */
  readonly records: readonly ReferRecord[];
  readonly instances: ReferInstances;
  /** Where the file of an image is. */
  readonly imagePath: (fileName: string) => string;
}

export class ReferDataset {
  readonly split: ReferSplit;
  /** In the order in which the records name them first; their expressions in the order of the records. */
  readonly images: readonly ReferringImage[];
  /** Expressions left out: nothing remains of the text, or of the polygons that it refers to. */
  readonly skippedExpressions: number;

  protected constructor(private readonly source: ReferSource) {
    this.split = source.split;
    const byImage = new Map<number, ReferRecord[]>();
    for (const record of source.records) {
      const list = byImage.get(record.imageId);
      if (list) list.push(record);
      else byImage.set(record.imageId, [record]);
    }
    let skipped = 0;
    const images: ReferringImage[] = [];
    for (const [imageId, records] of byImage) {
      const image = this.imageOf(imageId, records);
      const expressions: ReferringExpression[] = [];
      for (const record of records) {
        const ids = record.annotationIds.filter((id) => this.hasShape(id, record));
        const ignored = ids.length === 0 && record.annotationIds.length > 0;
        for (const sentence of record.sentences) {
          const text = this.expressionText(sentence);
          if (ignored || text === '') skipped++;
          else expressions.push(new LazyExpression(text, ids, () => this.maskOf(ids, image.height, image.width)));
        }
      }
      const path = source.imagePath(image.fileName);
      if (expressions.length > 0) images.push({ imageId, path, ...image, expressions });
    }
    this.images = images;
    this.skippedExpressions = skipped;
  }

  /** The image's expressions with their masks at the image's size, in order. Decoded anew at each call. */
  targets(image: ReferringImage): ReferringTarget[] {
    return image.expressions.map((expression) => this.target(image, expression));
  }

  /** One expression of the image with its mask: all that a training step needs to decode. */
  target(image: ReferringImage, expression: ReferringExpression): ReferringTarget {
    const rle = this.maskOf(expression.annotationIds, image.height, image.width);
    return { expression: expression.text, isEmpty: rleArea(rle) === 0, mask: decodeMask(rle) };
  }

  private expressionText(sentence: string): string {
    return this.split === 'train' ? cleanExpression(sentence) : cleanExpression(sentence.toLowerCase());
  }

  private imageOf(imageId: number, [record]: readonly ReferRecord[]): ReferImageFile {
    const { name, recordsFile, instances } = this.source;
    const image = instances.images.get(imageId);
    if (image) return image;
    throw new UserError(
      `Reading ${name}: [${record?.index}] of ${recordsFile} refers to image ${imageId}, which "images" of ` +
        `${instances.source} does not have. Use both files of one release.`,
    );
  }

  /** False for an annotation of which the reference ignores every polygon. */
  private hasShape(id: number, { index, imageId }: ReferRecord): boolean {
    const { name, recordsFile, instances } = this.source;
    if (!instances.segmentations.has(id)) {
      throw new UserError(
        `Reading ${name}: [${index}] of ${recordsFile} refers to annotation ${id} (image ${imageId}), which "annotations" of ` +
          `${instances.source} does not have. Use both files of one release.`,
      );
    }
    const segmentation = instances.segmentations.get(id);
    if (!Array.isArray(segmentation) || segmentation.length === 0) return true;
    return segmentation.some((part: unknown) => !Array.isArray(part) || (part.length % 2 === 0 && part.length >= 6));
  }

  private maskOf(ids: readonly number[], height: number, width: number): Rle {
    const empty: Rle = { size: [height, width], counts: [height * width] };
    return mergeRles([empty, ...ids.map((id) => this.annotationMask(id, height, width) ?? empty)]);
  }

  private annotationMask(id: number, height: number, width: number): Rle | null {
    const { name, instances } = this.source;
    try {
      return annotationToRle(instances.segmentations.get(id), height, width);
    } catch (error) {
      throw new UserError(`Reading ${name}: annotation ${id} of ${instances.source}: ${messageOf(error)}`);
    }
  }
}

/** Finds out whether it is empty when first asked: most callers look at few of the expressions of a large dataset. */
export class LazyExpression implements ReferringExpression {
  private empty: boolean | null = null;

  constructor(
    readonly text: string,
    readonly annotationIds: readonly number[],
    private readonly mask: () => Rle,
  ) {}

  get isEmpty(): boolean {
    this.empty ??= this.annotationIds.length === 0 || rleArea(this.mask()) === 0;
    return this.empty;
  }
}
