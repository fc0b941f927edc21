/** Images, conversations and masks of given sizes, drawn from a seed: their content does not matter for speed. */
import { padBatch, type TokenizedConversation } from '../data/text/conversation.js';
import { prepareImage } from '../data/image/prepare-image.js';
import type { TokenBatch } from '../networks/multimodal-rows.js';
import { Random } from '../random.js';
import { IGNORE_LABEL, IMAGE_TOKEN_ID } from '../special-tokens.js';
import type { MaskTargets, System, Vocabulary } from '../systems/system.js';
import type { BinaryMask, PreparedImage, RgbImage } from '../types.js';
import type { Workload } from './bench-config.js';

/** Place of the picture in a conversation. */
const PICTURE_AT = 2;
/** Ids below are special in some vocabularies. */
const FIRST_ORDINARY = 3;

export class RandomWorkload {
  readonly prepared: readonly PreparedImage[];
  /** A training batch, one conversation a row; every decision says "found". */
  readonly tokens: TokenBatch;
  /** For every row of the batch its picture. */
  readonly pictureOf: readonly number[];
  readonly targets: readonly MaskTargets[];
  /** About the first picture; the second decision says "absent", where the system has a token for it. */
  readonly evaluated: readonly TokenizedConversation[];
  /** A question alone. */
  readonly promptIds: readonly number[];

  constructor(
    system: System,
    model: unknown,
    private readonly workload: Workload,
    private readonly vocabulary: Vocabulary,
  ) {
    const random = new Random(workload.seed);
    const pictures = system.pictures(model);
    const each = Array.from({ length: workload.batch }, (_, picture) => picture);
    this.prepared = each.map((picture) => prepareImage(this.image(random.fork(picture)), pictures));
    const [found = 0] = vocabulary.found;
    const [absent = found] = vocabulary.absent;
    // As many conversations about a picture as the system needs for its targets.
    const texts = Array.from({ length: workload.masks }, (_, index) => `target ${index}`);
    const exam = system.dialogue(model, {}).exam(
      texts,
      texts.map(() => 'found'),
      'reference',
    );
    const asked = each.flatMap((picture) => exam.map(({ targets }) => ({ picture, targets })));
    this.pictureOf = asked.map(({ picture }) => picture);
    const conversations = asked.map(({ targets }, row) => {
      return this.conversation(
        random.fork(100 + row),
        targets.map(() => found),
      );
    });
    this.tokens = padBatch(conversations, vocabulary.pad);
    this.targets = asked.map(({ picture, targets }) => {
      const { resized, original } = this.prepared[picture] as PreparedImage;
      return { resized, original, rejected: 0, masks: targets.map((index) => this.mask(picture + index)) };
    });
    this.evaluated = exam.map(({ targets }, row) => {
      const decisions = targets.map((index) => (index === 1 ? absent : found));
      return this.conversation(random.fork(200 + row), decisions);
    });
    this.promptIds = this.evaluated[0]?.inputIds.slice(0, this.questionTokens) ?? [];
  }

  /** Tokens before the answer: two thirds of the conversation. */
  private get questionTokens(): number {
    return Math.floor((this.workload.textTokens * 2) / 3);
  }

  private image(random: Random): RgbImage {
    const { height, width } = this.workload;
    return { height, width, data: Uint8Array.from({ length: height * width * 3 }, () => random.integer(256)) };
  }

  /** Some tokens, the picture, question, answer; the decisions evenly spread over the answer. */
  private conversation(random: Random, decisions: readonly number[]): TokenizedConversation {
    const { ids, size, begin } = this.vocabulary;
    const ordinary = Math.min(...ids.map(({ id }) => id), size);
    const { textTokens } = this.workload;
    const inputIds = Array.from({ length: textTokens }, (_, t) => {
      if (t === PICTURE_AT) return IMAGE_TOKEN_ID;
      return t === 0 && begin !== null ? begin : FIRST_ORDINARY + random.integer(ordinary - FIRST_ORDINARY);
    });
    const answer = textTokens - this.questionTokens;
    for (const [index, id] of decisions.entries()) {
      inputIds[this.questionTokens + Math.floor(((index + 1) * answer) / decisions.length) - 1] = id;
    }
    const labels = inputIds.map((id, t) => (t < this.questionTokens ? IGNORE_LABEL : id));
    return { inputIds, labels };
  }

  /** A disc. */
  private mask(index: number): BinaryMask {
    const { height, width } = this.workload;
    const [x0, y0, radius] = [(width * (1 + (index % 4))) / 5, height / 2, Math.min(height, width) / 4];
    const data = new Uint8Array(height * width);
    for (let i = 0; i < data.length; i++) {
      const [x, y] = [(i % width) - x0, Math.floor(i / width) - y0];
      data[i] = x * x + y * y < radius * radius ? 1 : 0;
    }
    return { data, height, width };
  }
}
