/** Samples of semantic segmentation (SemSegDataset): classes of a label map, or annotations that count one by one. */
import { UserError, messageOf } from '../../errors.js';
import { readImage, readImageSize } from '../../io/image/image-file.js';
import { readIndexPng } from '../../io/image/index-png.js';
import type { Random } from '../../random.js';
import type { BinaryMask } from '../../types.js';
import { sizeMismatch } from '../image/size-mismatch.js';
import { type ClassName, classText } from './class-name.js';
import { annotationToRle } from '../masks/coco-mask-annotation.js';
import { decodeMask, rleArea } from '../masks/coco-mask.js';
import { type NumberedClasses, classMask, presentClasses } from './label-map-classes.js';
import { type Target, targetFacts } from '../facts.js';
import type { MakeSample, RequestOf } from '../sampling/training-sample.js';

/** An image with a label map: a PNG whose pixels are class numbers. */
export interface LabelMapRequest extends RequestOf<'sem_seg'> {
  /** Path of the label map. */
  readonly labels: string;
  readonly classes: NumberedClasses;
  /** Classes of which nobody knows whether the image has them: never asked for as absent. */
  readonly neverMarked: readonly string[];
}

/** An image with annotations in COCO's form. */
export interface AnnotatedRequest extends RequestOf<'sem_seg'> {
  /** Path of the annotations, for messages. */
  readonly source: string;
  readonly height: number;
  readonly width: number;
  readonly annotations: readonly {
    readonly id: number;
    readonly category: number;
    /** null where `categories` of the file does not have the category. */
    readonly name: ClassName | null;
    readonly segmentation: unknown;
  }[];
  /** Classes that the image is known not to have. */
  readonly absent: readonly ClassName[];
}

export type SemSegRequest = LabelMapRequest | AnnotatedRequest;

/** Classes of an image that can be asked for. */
interface Offer {
  readonly height: number;
  readonly width: number;
  /** The file that says so, for messages. */
  readonly source: string;
  /** In the order of the file. `mask` is null where no pixel is inside. */
  readonly present: readonly { readonly name: ClassName; readonly mask: () => BinaryMask | null }[];
  readonly absent: readonly ClassName[];
}

export const makeSemSegSample: MakeSample<SemSegRequest> = async (request, random, options) => {
  const { perSample, absentClasses } = options;
  const offer = 'labels' in request ? labelMapOffer(request) : annotatedOffer(request);
  const targets = drawPresent(random, offer.present, perSample);
  if (targets.length === 0) return null;
  for (const name of random.shuffle(offer.absent).slice(0, absentClasses)) {
    targets.splice(random.integer(targets.length + 1), 0, {
      text: classText(random, name),
      wording: 'class',
      mask: null,
    });
  }
  const size = await readImageSize(request.image);
  if (size.height !== offer.height || size.width !== offer.width) {
    const fault = await sizeMismatch(request.image, size, offer, `but ${offer.source} is for`);
    throw new UserError(`Reading ${request.set}: ${request.image}: ${fault}. Use the published files.`);
  }
  return { image: () => readImage(request.image), facts: targetFacts('sem_seg', offer, targets) };
};

/** All, in order, where there are fewer than `count`; else `count` of them in random order (as the reference). */
function drawPresent(random: Random, present: Offer['present'], count: number): Target[] {
  const targets: Target[] = [];
  for (const { name, mask } of present.length < count ? present : random.shuffle(present)) {
    if (targets.length === count) break;
    const drawn = mask();
    if (drawn !== null) targets.push({ text: classText(random, name), wording: 'class', mask: drawn });
  }
  return targets;
}

function labelMapOffer(request: LabelMapRequest): Offer {
  const labels = readIndexPng(request.labels);
  const present = presentClasses(labels, request.classes, request.labels);
  const excluded = new Set([...request.neverMarked, ...present.map(({ name }) => name)]);
  return {
    height: labels.height,
    width: labels.width,
    source: request.labels,
    present: present.map(({ name, value }) => ({ name, mask: () => classMask(labels, value) })),
    absent: request.classes.filter((name): name is string => name !== null && !excluded.has(name)),
  };
}

function annotatedOffer(request: AnnotatedRequest): Offer {
  const { height, width, source, annotations, absent } = request;
  const present = annotations.map((annotation) => {
    const { name } = annotation;
    if (name === null) throw badAnnotation(request, annotation.id, `"categories" does not have ${annotation.category}`);
    return { name, mask: () => annotationMask(request, annotation) };
  });
  return { height, width, source, present, absent };
}

/** A polygon so thin that it has no pixel gives null: there is nothing to learn from it. */
function annotationMask(
  request: AnnotatedRequest,
  { id, segmentation }: AnnotatedRequest['annotations'][number],
): BinaryMask | null {
  const isEmpty = Array.isArray(segmentation) && segmentation.length === 0;
  let rle;
  try {
    rle = isEmpty ? null : annotationToRle(segmentation, request.height, request.width);
  } catch (error) {
    throw badAnnotation(request, id, messageOf(error));
  }
  if (rle === null) throw badAnnotation(request, id, '"segmentation" has no polygon of three points or more');
  return rleArea(rle) === 0 ? null : decodeMask(rle);
}

function badAnnotation(request: AnnotatedRequest, id: number, what: string): UserError {
  return new UserError(
    `Reading ${request.set}: annotation ${id} of ${request.source} (of ${request.image}): ${what}. Use the published file.`,
  );
}
