/** Sets whose classes are the categories of a COCO file, each annotation an object or part (PACO-LVIS, PASCAL-Part). */
import { join } from 'node:path';

import { UserError } from '../../errors.js';
import type { ClassName } from './class-name.js';
import { RepeatedIds } from '../repeated-ids.js';
import { MAX_PIXELS } from '../masks/coco-mask.js';
import { type JsonPlace, readJsonRecordLists } from '../annotation-files.js';
import type { AnnotatedRequest } from './sem-seg-sample.js';
import type { TrainingSet } from '../sampling/training-sample.js';

export interface AnnotatedLayout {
  readonly name: string;
  readonly annotationsFile: string;
  /** Folder that `file_name` is relative to. */
  readonly imageDir: string;
  /** Where to get the files, for messages. */
  readonly advice: string;
  /** The class that a category's `name` stands for. */
  readonly className: (name: JsonPlace) => ClassName;
}

interface Annotation {
  readonly id: number;
  readonly category: number;
  /** As read; looked into when it is used. */
  readonly segmentation: unknown;
}

export interface AnnotatedImage {
  readonly id: number;
  readonly fileName: string;
  readonly height: number;
  readonly width: number;
  /** In the order of the file. */
  readonly annotations: readonly Annotation[];
  /** Categories that the image is known not to have (`neg_category_ids` of LVIS); null where the file does not say. */
  readonly negativeCategories: readonly number[] | null;
  /** Categories of which not every object is annotated (`not_exhaustive_category_ids` of LVIS). */
  readonly notExhaustive: readonly number[];
}

export class AnnotatedDataset implements TrainingSet<AnnotatedRequest> {
  readonly kind = 'sem_seg';
  readonly name: string;
  readonly length: number;

  private constructor(
    private readonly layout: AnnotatedLayout,
    /** Those with an annotation, in the order of the file. */
    readonly images: readonly AnnotatedImage[],
    /** By the ids of the categories. */
    readonly classes: ReadonlyMap<number, ClassName>,
    /** Images without any annotation: nothing can be asked about them. */
    readonly imagesWithoutAnnotation: number,
    /** Annotations of images that the file does not have. */
    readonly annotationsWithoutImage: number,
  ) {
    this.name = layout.name;
    this.length = images.length;
  }

  /** @throws UserError where the file is missing, does not have COCO's form, or has nothing annotated */
  static open(layout: AnnotatedLayout): AnnotatedDataset {
    const { name, annotationsFile, advice } = layout;
    const images = new Map<number, Omit<AnnotatedImage, 'annotations'>>();
    const byImage = new Map<number, Annotation[]>();
    const classes = new Map<number, ClassName>();
    const [imageIds, categoryIds] = [new RepeatedIds('images'), new RepeatedIds('categories')];
    readJsonRecordLists(name, annotationsFile, advice, {
      images: (place, index) => {
        const image = readImageRecord(place);
        if (imageIds.add(image.id, index, place.value)) images.set(image.id, image);
      },
      annotations: (place) => {
        const imageId = place.key('image_id').integer();
        const annotation = {
          id: place.key('id').integer(),
          category: place.key('category_id').integer(),
          segmentation: place.key('segmentation').value,
        };
        const list = byImage.get(imageId);
        if (list) list.push(annotation);
        else byImage.set(imageId, [annotation]);
      },
      categories: (place, index) => {
        const id = place.key('id').integer();
        const className = layout.className(place.key('name'));
        if (categoryIds.add(id, index, place.value)) classes.set(id, className);
      },
    });
    const [fault] = [...imageIds.faults, ...categoryIds.faults];
    if (fault !== undefined) throw new UserError(`Reading ${name}: ${annotationsFile}: ${fault}. ${advice}`);
    // Where the file says of any image what it lacks, of the others nothing is known.
    const saysNegative = [...images.values()].some((image) => image.negativeCategories !== null);
    const annotated: AnnotatedImage[] = [];
    for (const image of images.values()) {
      const annotations = byImage.get(image.id);
      const negativeCategories = image.negativeCategories ?? (saysNegative ? [] : null);
      if (annotations !== undefined) annotated.push({ ...image, negativeCategories, annotations });
    }
    if (annotated.length === 0) {
      throw new UserError(`Reading ${name}: ${annotationsFile} has no image with an annotation. ${advice}`);
    }
    let withoutImage = 0;
    for (const [imageId, list] of byImage) if (!images.has(imageId)) withoutImage += list.length;
    return new AnnotatedDataset(layout, annotated, classes, images.size - annotated.length, withoutImage);
  }

  requestAt(index: number): AnnotatedRequest {
    const { name, annotationsFile, imageDir } = this.layout;
    const image = this.images[index];
    if (image === undefined) throw new Error(`${name} has no image ${index}`);
    return {
      kind: 'sem_seg',
      set: name,
      image: join(imageDir, image.fileName),
      source: annotationsFile,
      height: image.height,
      width: image.width,
      annotations: image.annotations.map((annotation) => ({
        ...annotation,
        name: this.classes.get(annotation.category) ?? null,
      })),
      absent: this.absentClasses(image),
    };
  }

  /** Unless the file names absent classes, all that is not annotated; by name, since two categories may share one. */
  private absentClasses({ annotations, negativeCategories, notExhaustive }: AnnotatedImage): ClassName[] {
    const ids = [...annotations.map(({ category }) => category), ...notExhaustive];
    // An object of an unknown category may be anything.
    if (ids.some((id) => !this.classes.has(id))) return [];
    const present = new Set(ids.map((id) => keyOf(this.classes.get(id))));
    const candidates = negativeCategories ?? [...this.classes.keys()];
    return candidates.flatMap((id) => {
      const name = this.classes.get(id);
      return name === undefined || present.has(keyOf(name)) ? [] : [name];
    });
  }
}

function keyOf(name: ClassName | undefined): string {
  return (typeof name === 'string' ? name : (name ?? []).join('\n')).toLowerCase();
}

function readImageRecord(place: JsonPlace): Omit<AnnotatedImage, 'annotations'> {
  const name = place.key('file_name');
  const fileName = name.text();
  // It is joined to a folder, which it must not lead out of.
  const parts = fileName.split('/');
  if (/[\\\0]/.test(fileName) || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw name.wrong('a file name, which may stand in folders but not lead out of them');
  }
  const [height, width] = [place.key('height').integer(), place.key('width').integer()];
  if (height <= 0 || width <= 0 || height * width > MAX_PIXELS) {
    throw place.wrong(`a positive height and width of at most ${MAX_PIXELS} pixels together`);
  }
  const categoriesAt = (key: string): number[] | null =>
    Object.hasOwn(place.value as object, key)
      ? place
          .key(key)
          .list()
          .map((id) => id.integer())
      : null;
  return {
    id: place.key('id').integer(),
    fileName,
    height,
    width,
    negativeCategories: categoriesAt('neg_category_ids'),
    notExhaustive: categoriesAt('not_exhaustive_category_ids') ?? [],
  };
}
