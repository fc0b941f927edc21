/** Samples of semantic segmentation (SemSegDataset): classes of a label map, or annotations that count one by one. */
import { UserError, messageOf } from '../../errors.js';
import { readImage, readImageSize } from '../../io/image/image-file.js';
import { readIndexPng } from '../../io/image/index-png.js';
import type { Random } from '../../random.js';
import { RESERVED_TEXTS } from '../../special-tokens.js';
import type { BinaryMask } from '../../types.js';
import type { JsonPlace } from '../annotation-files.js';
import { type Size, sizeMismatch } from '../image/size-mismatch.js';
import { annotationToRle } from '../masks/coco-mask-annotation.js';
import { decodeMask, rleArea } from '../masks/coco-mask.js';
import { type LabelMapFiles, type NumberedClasses, classMask, presentClasses } from './label-maps.js';
import { type MakeSample, type RequestOf, type Target, targetFacts } from '../facts.js';

/** "scissors", or ["mug", "handle"]: object and part. */
export type ClassName = string | readonly [object: string, part: string];

/** The words for it: of a part, "mug handle" or "the handle of the mug", by chance (reference: SemSegDataset). */
export function classText(random: Random, name: ClassName): string {
  if (typeof name === 'string') return name;
  const [object, part] = name;
  return random.uniform() < 0.5 ? `${object} ${part}` : `the ${part} of the ${object}`;
}

/** @throws UserError for an empty class name, or one that would be read as special tokens */
export function checkedClassName(place: JsonPlace): string {
  const name = place.string().trim();
  if (name === '' || RESERVED_TEXTS.some((text) => name.includes(text))) {
    return place.fail(`a name that is not empty and has none of ${RESERVED_TEXTS.join(' ')}`);
  }
  return name;
}

/** An image with a label map: a PNG whose pixels are class numbers. */
export interface LabelMapRequest extends RequestOf<'sem_seg'>, LabelMapFiles {
  readonly classes: NumberedClasses;
  /** Classes of which nobody knows whether the image has them: never asked for as absent. */
  readonly neverMarked: readonly string[];
}

/** An image with annotations in COCO's form. */
export interface AnnotatedRequest extends RequestOf<'sem_seg'>, Size {
  /** Path of the annotations, for messages. */
  readonly source: string;
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
interface Offer extends Size {
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
    const at = random.integer(targets.length + 1);
    targets.splice(at, 0, { text: classText(random, name), wording: 'class', mask: null });
  }
  const { image, set } = request;
  const fault = await sizeMismatch(image, await readImageSize(image), offer, `but ${offer.source} is for`);
  if (fault !== null) throw new UserError(`Reading ${set}: ${image}: ${fault}. Use the published files.`);
  return { image: () => readImage(image), facts: targetFacts('sem_seg', offer, targets) };
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
function annotationMask(request: AnnotatedRequest, { id, segmentation }: AnnotatedRequest['annotations'][number]) {
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
