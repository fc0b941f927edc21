/**
 * Expressions of an image as questions: all in one, unless the dataset asks for each alone. What exceeds the model's
 * length or the memory for masks begins the next question, in order; what does not fit by itself is refused. And the
 * model that answers them, as far as evaluation knows it (`Predictor` is one).
 */
import type { Abortable } from '../abortable.js';
import type { EvaluatedTarget } from '../data/refer/refer-dataset.js';
import { IMAGE_PLACEHOLDER } from '../special-tokens.js';
import type { Answer, Dialogue } from '../systems/system.js';
import type { BinaryMask, LogitRule, RgbImage, SegmentResult } from '../types.js';
import { formOfProtocol, type GresProtocol } from './metrics/gres-score.js';
import type { RecordedFaults, Refusal } from './records/record-types.js';

/** Pixels of all masks that are drawn at once; as logits half a GiB. COCO's images have 400 such masks. */
export const MOST_MASK_PIXELS = 2 ** 27;

export function withoutImage(question = ''): string {
  return question.replace(IMAGE_PLACEHOLDER, '').trim();
}

/** For readers: which question and forced answer the figures of each protocol were obtained with. */
export function settingText(dialogue: Dialogue, protocols: readonly GresProtocol[], setting: string): string {
  return protocols
    .map((protocol) => {
      const form = formOfProtocol(protocol, setting);
      if (protocol === 'generate') return `generate: “${withoutImage(dialogue.open(['{}'], form)[0]?.turn.user)}”`;
      const how = form === 'reference' ? 'as published, ' : form === 'trained' ? 'as trained, ' : '';
      const turn = dialogue.exam(['{}'], ['found'], form)[0]?.turn;
      return `${protocol}: ${how}“${withoutImage(turn?.user)}” – “${turn?.assistant ?? ''}”`;
    })
    .join('; ');
}

export interface Conversation {
  /** As its dataset prescribes, or as the evaluation is set. */
  readonly form: string;
  /** Places among the image's expressions. */
  readonly indexes: readonly number[];
}

/**
 * @param form of targets for which the dataset prescribes none, or a setting
 * @param asker `refuse`: why a question cannot be asked, in words; null where it can
 */
export function divide(
  targets: readonly EvaluatedTarget[],
  form: string,
  { asksAlone, refuse }: Pick<Dialogue, 'asksAlone'> & { refuse: Required<Responder<unknown>>['refusal'] },
): { readonly conversations: readonly Conversation[]; readonly refused: readonly Refusal[] } {
  const conversations: Conversation[] = [];
  const refused: Refusal[] = [];
  let open: number[] = [];
  const expressionsAt = (indexes: readonly number[]): string[] =>
    indexes.map((index) => (targets[index] as EvaluatedTarget).expression);
  const close = (): void => {
    if (open.length > 0) conversations.push({ form, indexes: open });
    open = [];
  };
  const fits = (indexes: readonly number[]): boolean => {
    const pixels = indexes.reduce((sum, index) => sum + (targets[index]?.mask.data.length ?? 0), 0);
    return indexes.length === 1 || (pixels <= MOST_MASK_PIXELS && refuse(expressionsAt(indexes), form) === null);
  };
  const together = targets.flatMap((target, index) => (asksAlone(target.form ?? form) ? [] : [index]));
  const allFit = together.length > 0 && fits(together) && refuse(expressionsAt(together), form) === null;
  for (const [index, target] of targets.entries()) {
    const own = target.form ?? form;
    const reason = allFit && together.includes(index) ? null : refuse([target.expression], own);
    if (reason !== null) {
      refused.push({ index, expression: target.expression, reason: 'cannot be asked', message: reason });
    } else if (asksAlone(own)) {
      close();
      conversations.push({ form: own, indexes: [index] });
    } else {
      if (!allFit && !fits([...open, index])) close();
      open.push(index);
    }
  }
  close();
  return { conversations, refused };
}

/** Questions that are computed together: at most `most`, with masks that fit into memory. */
export function inGroups<T extends { readonly pixels: number }>(questions: readonly T[], most: number): T[][] {
  const groups: T[][] = [];
  let pixels = 0;
  for (const question of questions) {
    const last = groups.at(-1);
    pixels += question.pixels;
    if (last !== undefined && last.length < most && pixels <= MOST_MASK_PIXELS) last.push(question);
    else {
      groups.push([question]);
      pixels = question.pixels;
    }
  }
  return groups;
}

/** A question about an image that the responder has encoded. */
export interface AskedQuestion<Image> {
  readonly image: Image;
  readonly expressions: readonly string[];
  readonly form: string;
  readonly logitRule: LogitRule;
}

interface Reply {
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
