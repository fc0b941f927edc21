/** A model that answers questions about images, as far as evaluation knows it (`Predictor` is one). */
import type { Abortable } from '../abortable.js';
import type { Answer, Dialogue } from '../systems/system.js';
import type { BinaryMask, LogitRule, RgbImage, SegmentResult } from '../types.js';
import type { RecordedFaults } from './records/record-types.js';

/** A question about an image that the responder has encoded. */
export interface AskedQuestion<Image> {
  readonly image: Image;
  readonly expressions: readonly string[];
  readonly form: string;
  readonly logitRule: LogitRule;
}

export interface Reply {
  readonly question: string;
  readonly answer: string;
  /** One per expression, in order. */
  readonly results: readonly SegmentResult[];
}

export interface ForcedReply extends Reply {
  /** One per expression, also for what was rejected. */
  readonly masks: readonly BinaryMask[];
}

export interface FreeReply extends Reply {
  readonly faults?: RecordedFaults;
}

/** `Image` is whatever the responder makes of a picture. */
export interface Responder<Image> extends Pick<Dialogue, 'asksAlone'> {
  /** Called once per image. */
  encode(images: readonly RgbImage[]): Promise<readonly Image[]>;
  /** Teacher forcing with the true answers. One reply per question. */
  force(
    questions: readonly (AskedQuestion<Image> & { readonly answers: readonly Answer[] })[],
  ): Promise<readonly ForcedReply[]>;
  /** A freely written answer. */
  generate(question: AskedQuestion<Image>, options: { readonly signal?: Abortable }): Promise<FreeReply>;
  /** Why a question cannot be asked, in words; null where it can. Without it everything can be. */
  refusal?(expressions: readonly string[], form: string): string | null;
}
