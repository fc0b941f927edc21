/**
 * A user's own data (docs/your-data.md) for training and evaluation: with the interface of `ReferDataset`, and as a
 * `TrainingSet` of requests.
 */
import { basename } from 'node:path';
import { UserError } from '../../errors.js';
import type { ReferringTarget } from '../../types.js';
import { type Rle, decodeMask, rleArea } from '../masks/coco-mask.js';
import { type MaskSource, unionOfSources } from '../masks/coco-mask-annotation.js';
import { type OwnImage, OwnProblems, placeOf, readOwnFile } from './own-data-file.js';
import { OWN_SPLITS, type OwnSplit } from './own-data-line.js';
import {
  LazyExpression,
  type ReferDataset,
  type ReferRequest,
  type ReferringExpression,
  type ReferringImage,
} from '../refer/refer-dataset.js';
import type { TrainingSet } from '../sampling/training-sample.js';
import { gsvaCommand } from '../../program.js';

/** Number of reported problems before the advice. */
const TOLD_PROBLEMS = 3;

export class OwnData implements Pick<ReferDataset, 'images' | 'target' | 'targets'>, TrainingSet<ReferRequest> {
  readonly kind = 'refer_seg';
  readonly name: string;
  /** In the order of the file; `imageId` is the number of the line. */
  readonly images: readonly ReferringImage[];
  /** Masks by annotation id. */
  private readonly masks: MaskSource[] = [];

  private constructor(
    private readonly file: string,
    readonly split: OwnSplit,
    /** Whether the file names the split of any image. */
    readonly hasSplits: boolean,
    images: readonly OwnImage[],
  ) {
    this.name = basename(file);
    this.images = images.map((image) => this.imageOf(image));
  }

  /**
   * Reads the lines of one split. A file without splits serves as any split.
   * @throws UserError with the first problems of the file, if it has any, or where this split is empty
   */
  static async open(file: string, split: OwnSplit): Promise<OwnData> {
    const problems = new OwnProblems(TOLD_PROBLEMS);
    const { images, hasSplits } = await readOwnFile(file, problems);
    if (problems.total > 0) {
      const more = problems.total > TOLD_PROBLEMS ? ` And ${problems.total - TOLD_PROBLEMS} more.` : '';
      const told = problems.first.map(({ message }) => message).join(' ');
      throw new UserError(`${told}${more} \`${gsvaCommand(`data validate ${file}`)}\` shows all and checks the masks.`);
    }
    const own = hasSplits ? images.filter((image) => image.split === split) : images;
    if (own.length > 0) return new OwnData(file, split, hasSplits, own);
    if (images.length === 0) throw new UserError(`${file}: there is no line in it; see docs/your-data.md.`);
    const counts = OWN_SPLITS.map((name) => `${name} ${images.filter((image) => image.split === name).length}`);
    throw new UserError(
      `${file}: no line has "split": "${split}" (${counts.join(', ')}). Give some images this split, or choose another.`,
    );
  }

  get length(): number {
    return this.images.length;
  }

  requestAt(index: number): ReferRequest {
    const image = this.images[index];
    if (image === undefined) throw new RangeError(`OwnData: no image ${index} in ${this.length}`);
    const { imageId, path, height, width } = image;
    const origin = placeOf(this.file, imageId);
    const expressions = image.expressions.map(({ text, annotationIds }) => ({
      text,
      masks: this.masksOf(annotationIds).map((mask) => ('png' in mask ? mask : { ...mask, origin })),
    }));
    return { kind: this.kind, set: this.name, image: path, height, width, expressions };
  }

  /** The image's expressions with their masks at the image's size, in order. Decoded at each call. */
  targets(image: ReferringImage): ReferringTarget[] {
    return image.expressions.map((expression) => this.target(image, expression));
  }

  target(image: ReferringImage, expression: ReferringExpression): ReferringTarget {
    const rle = this.unionOf(image, expression.annotationIds);
    return { expression: expression.text, isEmpty: rleArea(rle) === 0, mask: decodeMask(rle) };
  }

  private imageOf({ line, image, path, height, width, expressions }: OwnImage): ReferringImage {
    const place = { imageId: line, fileName: image, path, height, width };
    return {
      ...place,
      expressions: expressions.map(({ line: ownLine, text, masks }) => {
        const annotationIds = masks.map((mask) => this.masks.push(mask) - 1);
        // In lower case but in training, as the published sets.
        const own = this.split === 'train' ? text : text.toLowerCase();
        return new LazyExpression(own, annotationIds, () => this.unionOf(place, annotationIds, ownLine));
      }),
    };
  }

  /** @param line that an error names */
  private unionOf(image: Omit<ReferringImage, 'expressions'>, ids: readonly number[], line = image.imageId): Rle {
    const place = `${placeOf(this.file, line)}: ${image.fileName}`;
    return unionOfSources(this.masksOf(ids), image.height, image.width, place);
  }

  private masksOf(ids: readonly number[]): MaskSource[] {
    return ids.map((id) => this.masks[id] as MaskSource);
  }
}
