/**
 * Referring segmentation over COCO-style annotations, as in gRefCOCO, RefCOCO(+/g), RefCLEF and Ref-ZOM (reference:
 * ReferSegDataset, ValDataset, REFER). Records are arranged by image; masks are made on demand.
 */
import { UserError } from '../../errors.js';
import { readImage, readImageSize } from '../../io/image/image-file.js';
import type { BinaryMask, ReferringTarget } from '../../types.js';
import { type MakeSample, type RequestOf, type Target, targetFacts, type TrainingSet, trainingSet } from '../facts.js';
import { type Size, sizeMismatch } from '../image/size-mismatch.js';
import { isPolygon, type MaskSource, unionOfSources } from '../masks/coco-mask-annotation.js';
import { type Rle, decodeMask, rleArea } from '../masks/coco-mask.js';
import { cleanExpression } from '../text/expression.js';

/** A test split may be divided: testA, testB and testC, and what belongs to two of them, such as testAB. */
export type ReferSplit = 'train' | 'val' | 'test' | 'testA' | 'testB' | 'testC' | 'testAB' | 'testBC' | 'testAC';

export interface ReferringExpression {
  /** Cleaned of surrounding spaces and dots; in lower case but in training, as in the reference. */
  readonly text: string;
  /** `text` as the dataset has it; absent where the two are the same. */
  readonly sentence?: string;
  /** Ids of the annotations that it refers to; none where nothing in the image fits. */
  readonly annotationIds: readonly number[];
  /** Whether its mask has no pixel: then the answer has [REJ]. Computed on demand. */
  readonly isEmpty: boolean;
}

export interface ReferringImage extends Size {
  readonly imageId: number;
  /** As the annotations have it; RefCLEF's lie in folders of their own. */
  readonly fileName: string;
  /** Path inside the data folder. */
  readonly path: string;
  readonly expressions: readonly ReferringExpression[];
}

/** Ways to ask that a dataset prescribes: about one thing at a time, by its wording. */
export type PrescribedForm = 'reason-sentence' | 'reason-phrase' | 'class';

export interface EvaluatedTarget extends ReferringTarget {
  readonly form?: PrescribedForm;
  /** Ignored pixels: excluded from intersection and union. Disjoint from `mask`. */
  readonly ignored?: BinaryMask;
}

/** `ReferDataset` and `OwnData` have it. */
export interface EvaluatedDataset {
  readonly images: readonly ReferringImage[];
  /** One per expression of the image, in order. Called when the image's turn comes. */
  targets(image: ReferringImage): readonly EvaluatedTarget[];
}

/** One entry of the dataset's list: sentences that refer to the same annotations of an image. */
export interface ReferRecord {
  /** Its place in the file, for messages. */
  readonly index: number;
  readonly imageId: number;
  readonly annotationIds: readonly number[];
  readonly sentences: readonly string[];
}

export type ReferImageFile = Pick<ReferringImage, 'fileName' | 'height' | 'width'>;

export interface ReferInstances {
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
  /** Records of this split, in the order of the file. */
  readonly records: readonly ReferRecord[];
  readonly instances: ReferInstances;
  readonly imagePath: (fileName: string) => string;
}

export class ReferDataset {
  readonly split: ReferSplit;
  /** In the order in which the records name them first; their expressions in the order of the records. */
  readonly images: readonly ReferringImage[];
  /** Expressions without text or, in evaluation, without polygons. Training finds such faults when it makes masks. */
  readonly skippedExpressions: number;
  private readonly source: Omit<ReferSource, 'records'>;

  constructor({ records: allRecords, ...source }: ReferSource) {
    this.source = source;
    this.split = source.split;
    const byImage = new Map<number, ReferRecord[]>();
    for (const record of allRecords) {
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
        const ids = this.split === 'train' ? record.annotationIds : this.idsWithShape(record);
        const ignored = ids.length === 0 && record.annotationIds.length > 0;
        for (const sentence of record.sentences) {
          const text = cleanExpression(this.split === 'train' ? sentence : sentence.toLowerCase());
          if (ignored || text === '') skipped++;
          else {
            const mask = (): Rle => this.maskOf(ids, image.height, image.width);
            expressions.push(new LazyExpression(text, ids, mask, sentence));
          }
        }
      }
      const path = source.imagePath(image.fileName);
      if (expressions.length > 0) images.push({ imageId, path, ...image, expressions });
    }
    this.images = images;
    this.skippedExpressions = skipped;
  }

  /** The image's expressions with their masks at the image's size, in order. Decoded at each call. */
  targets({ expressions, height, width }: ReferringImage): ReferringTarget[] {
    return expressions.map(({ text, annotationIds }) => {
      return referringTarget(text, this.maskOf(annotationIds, height, width));
    });
  }

  /** The images to train on. @param name of the set, as in the mixture: "refcoco+" */
  trainingSet(name: string): TrainingSet<ReferRequest> {
    return trainingSet(name, 'refer_seg', this.images, ({ path, height, width, expressions }) => ({
      image: path,
      height,
      width,
      expressions: expressions.map(({ text, sentence = text, annotationIds }) => {
        return { text: sentence, masks: annotationIds.map((id) => this.maskSource(id)) };
      }),
    }));
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

  /** Without the annotations of which the reference ignores every polygon. */
  private idsWithShape({ index, imageId, annotationIds }: ReferRecord): readonly number[] {
    const { name, recordsFile, instances } = this.source;
    return annotationIds.filter((id) => {
      if (instances.segmentations.has(id)) return hasShape(instances.segmentations.get(id));
      throw new UserError(
        `Reading ${name}: [${index}] of ${recordsFile} refers to annotation ${id} (image ${imageId}), which ` +
          `"annotations" of ${instances.source} does not have. Use both files of one release.`,
      );
    });
  }

  private maskOf(ids: readonly number[], height: number, width: number): Rle {
    const sources = ids.map((id) => this.maskSource(id));
    return unionOfSources(sources, height, width, `Reading ${this.source.name}`);
  }

  private maskSource(id: number): MaskSource {
    const { source, segmentations } = this.source.instances;
    return { segmentation: segmentations.get(id), origin: `annotation ${id} of ${source}` };
  }
}

/** Whether the reference would fill anything of a segmentation. */
function hasShape(segmentation: unknown): boolean {
  if (!Array.isArray(segmentation) || segmentation.length === 0) return true;
  return segmentation.some((part: unknown) => !Array.isArray(part) || isPolygon(part));
}

export function referringTarget(expression: string, rle: Rle): ReferringTarget {
  return { expression, isEmpty: rleArea(rle) === 0, mask: decodeMask(rle) };
}

/** Finds out whether it is empty when first asked: most callers look at few of the expressions of a large dataset. */
export class LazyExpression implements ReferringExpression {
  private empty: boolean | null = null;

  constructor(
    readonly text: string,
    readonly annotationIds: readonly number[],
    private readonly mask: () => Rle,
    readonly sentence: string = text,
  ) {}

  get isEmpty(): boolean {
    this.empty ??= this.annotationIds.length === 0 || rleArea(this.mask()) === 0;
    return this.empty;
  }
}

/** Request with the size of the image as it is decoded. */
export interface ReferRequest extends RequestOf<'refer_seg'>, Size {
  readonly expressions: readonly {
    readonly text: string;
    /** The expression's mask is their union; none where nothing in the image fits it. */
    readonly masks: readonly MaskSource[];
  }[];
}

/** Draws up to `perSample` expressions (ReferSegDataset). Null where none is in the image, unless that is accepted. */
export const makeReferSample: MakeSample<ReferRequest> = async (request, random, options) => {
  const { perSample, acceptAllAbsent = false } = options;
  const { set, image: path, height, width } = request;
  const targets: Target[] = [];
  for (const { text, masks } of random.sample(request.expressions, perSample)) {
    const doing = `Making a sample of ${set}, ${path}, the expression ${JSON.stringify(text)}`;
    if (cleanExpression(text) === '') throw new UserError(`${doing}: it is empty. Say what to segment.`);
    const rle = unionOfSources(masks, height, width, doing);
    targets.push({ text, wording: 'expression', mask: rleArea(rle) === 0 ? null : decodeMask(rle) });
  }
  // A system without a word for "absent" could learn from these too, but all are given the same draws.
  if (targets.every(({ mask }) => mask === null) && !acceptAllAbsent) return null;
  const fault = await sizeMismatch(path, await readImageSize(path), request, 'its annotations are for');
  if (fault !== null) throw new UserError(`Making a sample of ${set}: ${path}: ${fault}.`);
  return { image: () => readImage(path), facts: targetFacts('refer_seg', request, targets) };
};
