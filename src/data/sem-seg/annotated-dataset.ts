/** Sets whose classes are the categories of a COCO file, each annotation an object or part (PACO-LVIS, PASCAL-Part). */
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import { type JsonPlace, readJsonRecordLists, RepeatedIds } from '../annotation-files.js';
import type { Size } from '../image/size-mismatch.js';
import { type TrainingSet, trainingSet } from '../facts.js';
import { type AnnotatedRequest, checkedClassName, type ClassName } from './sem-seg-sample.js';

interface AnnotatedLayout {
  readonly name: string;
  readonly annotationsFile: string;
  /** Folder that `file_name` is relative to. */
  readonly imageDir: string;
  /** Where to get the files, for messages. */
  readonly advice: string;
  /** The class that a category's `name` stands for. */
  readonly className: (name: JsonPlace) => ClassName;
}

/** `segmentation` as read; looked into when it is used. */
type Annotation = Omit<AnnotatedRequest['annotations'][number], 'name'>;

interface AnnotatedImage extends Size {
  readonly id: number;
  readonly fileName: string;
  /** In the order of the file; an image without any is left out, since nothing can be asked about it. */
  readonly annotations: Annotation[];
  /** Categories that the image is known not to have (`neg_category_ids` of LVIS); null where the file does not say. */
  readonly negativeCategories: readonly number[] | null;
  /** Categories of which not every object is annotated (`not_exhaustive_category_ids` of LVIS). */
  readonly notExhaustive: readonly number[];
}

export interface AnnotatedDataset extends TrainingSet<AnnotatedRequest> {
  /** Those with an annotation, in the order of the file. */
  readonly images: readonly AnnotatedImage[];
}

/** @throws UserError where the file is missing, does not have COCO's form, or has nothing annotated */
function openAnnotated({ name, annotationsFile, imageDir, advice, ...layout }: AnnotatedLayout): AnnotatedDataset {
  const byId = new Map<number, Omit<AnnotatedImage, 'annotations'>>();
  const byImage = new Map<number, Annotation[]>();
  const classes = new Map<number, ClassName>();
  const [imageIds, categoryIds] = [new RepeatedIds('images'), new RepeatedIds('categories')];
  readJsonRecordLists(name, annotationsFile, advice, {
    images: (place, index) => {
      const image = readImageRecord(place);
      if (imageIds.add(image.id, index, place.value)) byId.set(image.id, image);
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
  const saysNegative = [...byId.values()].some((image) => image.negativeCategories !== null);
  const images = [...byId.values()].flatMap((image): AnnotatedImage[] => {
    const annotations = byImage.get(image.id);
    const negativeCategories = image.negativeCategories ?? (saysNegative ? [] : null);
    return annotations === undefined ? [] : [{ ...image, negativeCategories, annotations }];
  });
  if (images.length === 0) {
    throw new UserError(`Reading ${name}: ${annotationsFile} has no image with an annotation. ${advice}`);
  }
  const set = trainingSet<AnnotatedImage, AnnotatedRequest>(name, 'sem_seg', images, (image) => ({
    image: join(imageDir, image.fileName),
    source: annotationsFile,
    height: image.height,
    width: image.width,
    annotations: image.annotations.map((each) => ({ ...each, name: classes.get(each.category) ?? null })),
    absent: absentClasses(image, classes),
  }));
  return { ...set, images };
}

/** Unless the file names absent classes, all that is not annotated; by name, since two categories may share one. */
function absentClasses(image: AnnotatedImage, classes: ReadonlyMap<number, ClassName>): ClassName[] {
  const ids = [...image.annotations.map(({ category }) => category), ...image.notExhaustive];
  // An object of an unknown category may be anything.
  if (ids.some((id) => !classes.has(id))) return [];
  const keyOf = (name: ClassName = ''): string => [name].flat().join('\n').toLowerCase();
  const present = new Set(ids.map((id) => keyOf(classes.get(id))));
  return (image.negativeCategories ?? [...classes.keys()]).flatMap((id) => {
    const name = classes.get(id);
    return name === undefined || present.has(keyOf(name)) ? [] : [name];
  });
}

function readImageRecord(place: JsonPlace): Omit<AnnotatedImage, 'annotations'> {
  const fileName = place.key('file_name').fileName();
  const size = place.size();
  const categoriesAt = (key: string): number[] | null => {
    if (!Object.hasOwn(place.value as object, key)) return null;
    return place
      .key(key)
      .array()
      .map((id) => id.integer());
  };
  return {
    id: place.key('id').integer(),
    fileName,
    ...size,
    negativeCategories: categoriesAt('neg_category_ids'),
    notExhaustive: categoriesAt('not_exhaustive_category_ids') ?? [],
  };
}

/** On <dataDir>/coco/{train2017,val2017}, which `file_name` names. @throws UserError as openAnnotated */
export function openPacoLvis(dataDir: string): AnnotatedDataset {
  return openAnnotated({
    name: 'PACO-LVIS',
    annotationsFile: join(dataDir, 'vlpart', 'paco', 'annotations', 'paco_lvis_v1_train.json'),
    imageDir: join(dataDir, 'coco'),
    advice: "Unpack paco_lvis_v1.zip into <data>/vlpart/paco/annotations and COCO's train2017.zip into <data>/coco.",
    className: pacoClass,
  });
}

/** "mug_(cup):handle" → ["mug", "handle"]; underscores otherwise stay, as in the reference. */
export function pacoClass(place: JsonPlace): ClassName {
  const [object, part, ...more] = checkedClassName(place)
    .split(':')
    .map((name) => name.split('_(', 1).join(''));
  if (object && more.length === 0) {
    if (part === undefined) return object;
    if (part !== '') return [object, part];
  }
  return place.fail('an object, or "object:part"');
}

/** On VOC 2010 in COCO's form (VLPart). @throws UserError as openAnnotated */
export function openPascalPart(dataDir: string): AnnotatedDataset {
  const root = join(dataDir, 'vlpart', 'pascal_part');
  return openAnnotated({
    name: 'PASCAL-Part',
    annotationsFile: join(root, 'train.json'),
    imageDir: join(root, 'VOCdevkit', 'VOC2010', 'JPEGImages'),
    advice: "Put VLPart's train.json and the unpacked VOCtrainval_03-May-2010.tar into <data>/vlpart/pascal_part.",
    className: partClass,
  });
}

/** "dog:head" → ["dog", "head"]. */
export function partClass(place: JsonPlace): ClassName {
  const [object, part, ...more] = checkedClassName(place).split(':');
  if (object && part && more.length === 0) return [object, part];
  return place.fail('"object:part"');
}
