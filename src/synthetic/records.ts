/**
 * A scene and its expressions as entries of gRefCOCO's two files: `images` and `annotations` of instances.json, and
 * the references of grefs(unc).json. A mask is written as a polygon where the whole outline shows, else run-length
 * encoded, so that a reader meets both.
 */
import { annotationToRle } from '../data/masks/coco-mask-annotation.js';
import { type Rle, encodeMask, rleArea, rleBox, rleIou, rleToString } from '../data/masks/coco-mask.js';
import type { GRefCocoSplit } from '../data/refer/refcoco.js';
import type { SceneExpression } from './expressions.js';
import { type Scene, visibleMask } from './scene.js';
import { SHAPES, outline } from './shapes.js';

/** In the order of the files. */
export const WRITTEN_SPLITS = ['train', 'val', 'testA', 'testB'] as const satisfies readonly GRefCocoSplit[];

/** The outline as a polygon stands for the mask where their intersection over union is at least this. */
export const POLYGON_IOU = 0.97;

/**
 * Ids are made of split and index, so that an image keeps its name and ids whatever the sizes of the splits:
 * image = split · 10⁶ + index, annotation = image · 10 + object, reference and sentence = image · 100 + expression.
 */
const IMAGES_PER_SPLIT = 1_000_000;
const ANNOTATIONS_PER_IMAGE = 10;
const REFS_PER_IMAGE = 100;

export const MAX_IMAGES_PER_SPLIT = 100_000;
export const MAX_EXPRESSIONS_PER_IMAGE = 50;

/** `categories` of instances.json: the shapes. */
export const CATEGORIES = SHAPES.map((name, index) => ({ id: index + 1, name, supercategory: 'shape' }));

/** Entries of one image in the two files. */
export type ImageRecords = ReturnType<typeof recordsOf>;

/** Entries for image `index` of a split: one annotation per object, one reference per expression. */
export function recordsOf(scene: Scene, expressions: readonly SceneExpression[], split: GRefCocoSplit, index: number) {
  const id = (WRITTEN_SPLITS.indexOf(split) + 1) * IMAGES_PER_SPLIT + index;
  const image = { id, file_name: imageFileName(id), height: scene.height, width: scene.width };
  const annotations = scene.objects.map((_, object) => annotationOf(scene, object, id));
  const references = expressions.map(({ text, kind, objects }, i) => {
    const targets = objects.map((object) => annotations[object] as (typeof annotations)[number]);
    const isAbsent = targets.length === 0;
    const refId = id * REFS_PER_IMAGE + i + 1;
    return {
      ref_id: refId,
      image_id: id,
      file_name: image.file_name,
      split,
      /** [-1] for no target. */
      ann_id: isAbsent ? [-1] : targets.map((annotation) => annotation.id),
      category_id: isAbsent ? [-1] : targets.map((annotation) => annotation.category_id),
      no_target: isAbsent,
      sentences: [{ sent_id: refId, sent: text, raw: text, tokens: text.split(' ') }],
      sent_ids: [refId],
      /** Not in the published file: what sort of expression it is. */
      kind,
    };
  });
  return { split, image, annotations, references };
}

/** As COCO's train2014 names its images. */
export function imageFileName(imageId: number): string {
  return `COCO_train2014_${String(imageId).padStart(12, '0')}.jpg`;
}

/** The mask of an object as COCO has it; area and box [x, y, width, height] are those that a reader gets from it. */
export function annotationOf(scene: Scene, index: number, imageId: number) {
  const { shape, polygon, visible, filled, isWhole } = outlineOf(scene, index);
  const written: Rle = isWhole && filled !== null ? filled : visible;
  return {
    id: imageId * ANNOTATIONS_PER_IMAGE + index + 1,
    image_id: imageId,
    category_id: SHAPES.indexOf(shape) + 1,
    segmentation: isWhole ? [polygon] : { size: visible.size, counts: rleToString(visible) },
    area: rleArea(written),
    bbox: rleBox(written),
    iscrowd: 0,
  };
}

/** An object's outline as a polygon, next to its visible part; `isWhole` where all of it shows, but for a few pixels. */
export function outlineOf(scene: Scene, index: number) {
  const object = scene.objects[index];
  if (object === undefined) throw new RangeError(`the scene has no object ${index}`);
  const visible = encodeMask(visibleMask(scene, [index]));
  const polygon = outline(object).flatMap(([x, y]) => [twoDecimals(x), twoDecimals(y)]);
  const filled = annotationToRle([polygon], scene.height, scene.width);
  const isWhole = filled !== null && rleIou(filled, visible) >= POLYGON_IOU;
  return { shape: object.shape, polygon, visible, filled, isWhole };
}

/** COCO's polygons have two decimals. */
export function twoDecimals(value: number): number {
  return Math.round(value * 100) / 100;
}
