/** Evaluation of semantic segmentation: each class alone (ADE20K; paper, section D), or all together (Mapillary). */
import { type LabelMap, readIndexPng } from '../../io/image/index-png.js';
import type { EvaluatedDataset, EvaluatedTarget } from '../evaluated-dataset.js';
import { type PresentClass, classMask, presentClasses } from './label-map-classes.js';
import type { LabelMapDataset } from './label-map-dataset.js';
import type { ReferringExpression, ReferringImage } from '../refer/refer-dataset.js';

interface Labels {
  readonly map: LabelMap;
  readonly classes: readonly PresentClass[];
}

export class LabelMapEvaluation implements EvaluatedDataset {
  readonly images: readonly ReferringImage[];
  /** The one that was looked at last: its size, its classes and their masks are asked for one after the other. */
  private last: { readonly path: string; readonly labels: Labels } | null = null;

  /** @param form of the questions about one class at a time; null for all classes of the image in one question */
  constructor(
    private readonly dataset: LabelMapDataset,
    private readonly form: 'class' | null = 'class',
  ) {
    this.images = dataset.images.map(({ image, labels }, imageId) => {
      return new LabelledImage(imageId, image, () => this.read(labels));
    });
  }

  /** @throws UserError where the label map is missing or malformed */
  targets({ imageId }: ReferringImage): EvaluatedTarget[] {
    const files = this.dataset.images[imageId];
    if (files === undefined) throw new RangeError(`LabelMapEvaluation: no image ${imageId}`);
    const { map, classes } = this.read(files.labels);
    const form = this.form === null ? {} : { form: this.form };
    return classes.map(({ name, value }) => {
      return { expression: name, isEmpty: false, mask: classMask(map, value), ...form };
    });
  }

  private read(path: string): Labels {
    if (this.last?.path !== path) {
      const map = readIndexPng(path);
      const labels = { map, classes: presentClasses(map, this.dataset.classes, path) };
      this.last = { path, labels };
    }
    return this.last.labels;
  }
}

/** Its size and classes are found in the label map when they are first asked for: reading all of them takes minutes. */
class LabelledImage implements ReferringImage {
  readonly fileName: string;
  private found: Pick<ReferringImage, 'height' | 'width' | 'expressions'> | null = null;

  constructor(
    readonly imageId: number,
    readonly path: string,
    private readonly read: () => Labels,
  ) {
    this.fileName = path.split(/[\\/]/).at(-1) ?? path;
  }

  get height(): number {
    return this.facts().height;
  }

  get width(): number {
    return this.facts().width;
  }

  get expressions(): readonly ReferringExpression[] {
    return this.facts().expressions;
  }

  private facts(): Pick<ReferringImage, 'height' | 'width' | 'expressions'> {
    if (this.found === null) {
      const { map, classes } = this.read();
      const expressions = classes.map(({ name, value }) => ({ text: name, annotationIds: [value], isEmpty: false }));
      this.found = { height: map.height, width: map.width, expressions };
    }
    return this.found;
  }
}
