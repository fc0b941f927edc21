/** ReasonSeg as it is evaluated on (reference: ValDataset): one question per image, with the first of its texts. */
import { readImageSize } from '../../io/image/image-file.js';
import { UserError } from '../../errors.js';
import type { EvaluatedDataset, EvaluatedTarget } from '../evaluated-dataset.js';
import { readReasonAnnotation, reasonMasks, referenceReasonMask } from './reason-annotation.js';
import { ReasonSeg, type ReasonSegSplit } from './reason-seg.js';
import type { ReferringImage } from '../refer/refer-dataset.js';

export interface IgnoreOptions {
  /** Leave ignored regions out of the judgement, as LISA; as published by GSVA they belong to the target. */
  readonly honourIgnore: boolean;
}

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
    return [targetOf(path.replace(/\.jpg$/, '.json'), height, width, this.options)];
  }
}

/** A picture that cannot be read has no size yet; the fault is reported or counted when its turn comes. */
async function sizeOf(path: string): Promise<{ readonly height: number; readonly width: number }> {
  try {
    return await readImageSize(path);
  } catch (error) {
    if (error instanceof UserError) return { height: 0, width: 0 };
    throw error;
  }
}

function targetOf(file: string, height: number, width: number, { honourIgnore }: IgnoreOptions): EvaluatedTarget {
  const annotation = readReasonAnnotation(file);
  const [text = ''] = annotation.texts;
  const masks = reasonMasks(annotation, height, width);
  return {
    expression: text.trim(),
    // The reference's answer is [SEG], whatever the shapes are.
    isEmpty: false,
    mask: honourIgnore ? masks.target : referenceReasonMask(masks),
    form: annotation.isSentence ? 'reason-sentence' : 'reason-phrase',
    ...(honourIgnore ? { ignored: masks.ignored } : {}),
  };
}
