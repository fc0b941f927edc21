/** Images, conversations and masks of given sizes, drawn from a seed: their content does not matter for speed. */
import { padBatch, type TokenizedConversation } from '../data/text/conversation.js';
import { type Pictures, prepareImage } from '../data/image/prepare-image.js';
import type { TokenBatch } from '../networks/multimodal-rows.js';
import { Random } from '../random.js';
import {
  IGNORE_LABEL,
  IMAGE_END_TOKEN,
  IMAGE_START_TOKEN,
  IMAGE_TOKEN_ID,
  PICTURE_END_TOKEN,
  PICTURE_START_TOKEN,
} from '../special-tokens.js';
import { rowsAboutInputs } from '../features/image-rows.js';
import type { GroundingModel, MaskTargets, TrainingBatch, Vocabulary } from '../systems/system.js';
import type { BinaryMask, PreparedImage, RgbImage } from '../types.js';
import type { Workload } from './bench-config.js';

/** Conversations of a batch are equally long. */
const PADDING = 0;
/** Markers in front of a picture and behind it, where a vocabulary has them. */
const BEFORE_PICTURE: readonly string[] = [IMAGE_START_TOKEN, PICTURE_START_TOKEN];
const BEHIND_PICTURE: readonly string[] = [IMAGE_END_TOKEN, PICTURE_END_TOKEN];

export class RandomWorkload {
  readonly prepared: readonly PreparedImage[];
  /** A training batch: every decision says "found". */
  readonly tokens: TokenBatch;
  readonly targets: readonly MaskTargets[];
  /** The second decision says "absent", where there is a second and the system has a token for it. */
  readonly evaluated: TokenizedConversation;
  /** The question alone. */
  readonly promptIds: readonly number[];

  constructor(
    private readonly workload: Workload,
    private readonly vocabulary: Vocabulary,
    pictures: Pictures,
  ) {
    const random = new Random(workload.seed);
    const rows = Array.from({ length: workload.batch }, (_, row) => row);
    this.prepared = rows.map((row) => prepareImage(this.image(random.fork(row)), pictures));
    const [found = 0] = vocabulary.found;
    const [absent = found] = vocabulary.absent;
    const answers = Array.from({ length: workload.masks }, () => found);
    const conversations = rows.map((row) => this.conversation(random.fork(100 + row), answers));
    this.tokens = padBatch(conversations, PADDING);
    this.targets = this.prepared.map(({ resized, original }, row) => {
      return { resized, original, rejected: 0, masks: answers.map((_, index) => this.mask(row + index)) };
    });
    const decisions = answers.map((_, index) => (index === 1 ? absent : found));
    this.evaluated = this.conversation(random.fork(200), decisions);
    this.promptIds = this.evaluated.inputIds.slice(0, this.questionTokens);
  }

  /** The training batch, but for features. */
  batch(network: Pick<GroundingModel, 'encoders' | 'patches'>): Omit<TrainingBatch, 'features'> {
    const own = this.prepared.map((_, row) => row);
    const rows = rowsAboutInputs(network, this.tokens, this.prepared, own);
    const found = rows.statesBefore(this.vocabulary.found);
    const places = found.map(({ row, position }) => ({ row, states: [position] }));
    return { rows, places, targets: this.targets };
  }

  /** Tokens before the answer: two thirds of the conversation. */
  private get questionTokens(): number {
    return Math.floor((this.workload.textTokens * 2) / 3);
  }

  private image(random: Random): RgbImage {
    const { height, width } = this.workload;
    return { height, width, data: Uint8Array.from({ length: height * width * 3 }, () => random.integer(256)) };
  }

  /** `<s> <im_start> <image> <im_end> question answer`, the decisions evenly spread over the answer. */
  private conversation(random: Random, decisions: readonly number[]): TokenizedConversation {
    const { ids, size, begin } = this.vocabulary;
    const ordinary = Math.min(...ids.map(({ id }) => id), size);
    const { textTokens } = this.workload;
    const markers = (texts: readonly string[]): number[] =>
      ids.flatMap(({ token, id }) => (texts.includes(token) ? [id] : []));
    const around = [...markers(BEFORE_PICTURE), IMAGE_TOKEN_ID, ...markers(BEHIND_PICTURE)];
    const start = [...(begin === null ? [] : [begin]), ...around];
    const inputIds = Array.from({ length: textTokens }, (_, t) => start[t] ?? 3 + random.integer(ordinary - 3));
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
