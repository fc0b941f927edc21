/**
 * ReasonSeg in its published layout (reference: ReasonSegDataset, ValDataset):
 *
 *   <dataDir>/reason_seg/ReasonSeg/<split>/*.jpg           pictures
 *   <dataDir>/reason_seg/ReasonSeg/<split>/*.json          what is asked about each, and the answer's shapes
 *   <dataDir>/reason_seg/ReasonSeg/explanatory/train.json  why, in words, for some pictures of train
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import { readImage, readImageSize } from '../../io/image/image-file.js';
import { readRecords } from '../annotation-files.js';
import type { EvaluatedDataset, EvaluatedTarget } from '../evaluated-dataset.js';
import { targetFacts } from '../facts.js';
import type { Size } from '../image/size-mismatch.js';
import type { ReferringImage } from '../refer/refer-dataset.js';
import { type MakeSample, type RequestOf, type TrainingSet, trainingSet } from '../sampling/training-sample.js';
import { readReasonAnnotation, reasonMasks, referenceReasonMask } from './reason-annotation.js';

export type ReasonSegSplit = 'train' | 'val' | 'test';

interface ReasonSegImage extends Pick<ReasonRequest, 'annotation' | 'explanation'> {
  readonly name: string;
  readonly path: string;
}

const NAME = 'ReasonSeg';
const ADVICE = 'Put the published folders train, val, test and explanatory into <data>/reason_seg/ReasonSeg.';

export class ReasonSeg {
  private constructor(
    readonly split: ReasonSegSplit,
    /** In the order of their names. */
    readonly images: readonly ReasonSegImage[],
  ) {}

  /**
   * Pictures of a split.
   * @throws UserError where a folder, explanations or (outside of train) an annotation is missing
   */
  static open(dataDir: string, split: ReasonSegSplit): ReasonSeg {
    const root = join(dataDir, 'reason_seg', 'ReasonSeg');
    const folder = join(root, split);
    if (!existsSync(folder)) throw new UserError(`Reading ${NAME}: ${folder} is missing. ${ADVICE}`);
    const names = readdirSync(folder).filter((name) => name.endsWith('.jpg'));
    if (names.length === 0) throw new UserError(`Reading ${NAME}: ${folder} has no .jpg files. ${ADVICE}`);
    const explanations = split === 'train' ? readExplanations(join(root, 'explanatory', 'train.json')) : null;
    const images = names.sort().map((name): ReasonSegImage => {
      const annotation = join(folder, name.replace(/\.jpg$/, '.json'));
      if (split !== 'train' && !existsSync(annotation)) {
        throw new UserError(`Reading ${NAME}: ${annotation} is missing next to ${name}. ${ADVICE}`);
      }
      return { name, path: join(folder, name), annotation, explanation: explanations?.get(name) ?? null };
    });
    return new ReasonSeg(split, images);
  }

  trainingSet(): TrainingSet<ReasonRequest> {
    return trainingSet(NAME, 'reason_seg', this.images, ({ path, annotation, explanation }) => {
      return { image: path, annotation, explanation };
    });
  }
}

/** By the name of the picture. */
function readExplanations(path: string): Map<string, string> {
  if (!existsSync(path)) throw new UserError(`Reading ${NAME}: ${path} is missing. ${ADVICE}`);
  const explanations = new Map<string, string>();
  readRecords(NAME, path, ADVICE, (record) => {
    explanations.set(record.key('image').text(), record.key('outputs').text());
  });
  return explanations;
}

export interface ReasonRequest extends RequestOf<'reason_seg'> {
  /** Path of the image's JSON file, to be read by readReasonAnnotation. */
  readonly annotation: string;
  /** Why the target is what is asked for; in train, for some. */
  readonly explanation: string | null;
}

/** Draws up to `perSample` texts. What the annotation says to ignore is not in the mask. */
export const makeReasonSample: MakeSample<ReasonRequest> = async (request, random, { perSample }) => {
  const annotation = readReasonAnnotation(request.annotation);
  const { height, width } = await readImageSize(request.image);
  const { target: mask } = reasonMasks(annotation, height, width);
  if (!mask.data.includes(1)) {
    throw new UserError(
      `Making a sample of ${request.set}: no shape of ${request.annotation} leaves a target in ${request.image}. ` +
        'Correct it or leave the image out.',
    );
  }
  const wording = annotation.isSentence ? 'sentence' : 'expression';
  const targets = random.sample(annotation.texts, perSample).map((text) => ({ text, wording, mask }) as const);
  const { explanation } = request;
  const facts = { ...targetFacts('reason_seg', mask, targets), explanation };
  return { image: () => readImage(request.image), facts };
};

export interface IgnoreOptions {
  /** Leave ignored regions out of the judgement, as LISA; as published by GSVA they belong to the target. */
  readonly honourIgnore: boolean;
}

/** ReasonSeg for evaluation (reference: ValDataset): one question per image, with the first of its texts. */
export class ReasonEvaluation implements EvaluatedDataset {
  private constructor(
    readonly images: readonly ReferringImage[],
    private readonly options: IgnoreOptions,
  ) {}

  /** Reads the annotations and the sizes of the pictures. @throws UserError where a file is missing or malformed */
  static async open(dataDir: string, split: ReasonSegSplit, options: IgnoreOptions): Promise<ReasonEvaluation> {
    const { images } = ReasonSeg.open(dataDir, split);
    const listed: ReferringImage[] = [];
    for (const [imageId, { name, path, annotation: file }] of images.entries()) {
      const [text = ''] = readReasonAnnotation(file).texts;
      const { height, width } = await sizeOf(path);
      const expressions = [{ text: text.trim(), annotationIds: [0], isEmpty: false }];
      listed.push({ imageId, fileName: name, path, height, width, expressions });
    }
    return new ReasonEvaluation(listed, options);
  }

  targets({ path, height, width }: ReferringImage): EvaluatedTarget[] {
    const { honourIgnore } = this.options;
    const annotation = readReasonAnnotation(path.replace(/\.jpg$/, '.json'));
    const [text = ''] = annotation.texts;
    const masks = reasonMasks(annotation, height, width);
    const target = {
      expression: text.trim(),
      // The reference's answer is [SEG], whatever the shapes are.
      isEmpty: false,
      mask: honourIgnore ? masks.target : referenceReasonMask(masks),
      form: annotation.isSentence ? 'reason-sentence' : 'reason-phrase',
    } as const;
    return [honourIgnore ? { ...target, ignored: masks.ignored } : target];
  }
}

/** A picture that cannot be read has no size yet; the fault is reported or counted when its turn comes. */
async function sizeOf(path: string): Promise<Size> {
  try {
    return await readImageSize(path);
  } catch (error) {
    if (error instanceof UserError) return { height: 0, width: 0 };
    throw error;
  }
}
