/**
 * GSVA's recipe on a referring-segmentation dataset: one conversation per image, some of its expressions asked in it,
 * every target answered with [SEG] or [REJ]. F_V1 and F_V2 are frozen, so each image is encoded once and kept.
 */
import {
  type ConversationStyle,
  padBatch,
  type TokenizedConversation,
  tokenizeConversation,
} from '../data/conversation.js';
import { prepareImage } from '../data/prepare-image.js';
import { trainingAnswer, trainingQuestion } from '../data/prompts.js';
import type { ReferDataset, ReferringImage } from '../data/refer-dataset.js';
import type { Tokenizer } from '../data/tokenizer.js';
import * as tf from '../engine/tf.js';
import { readImage } from '../io/image-file.js';
import { loadModelWeights, type ModelMeta, writeModelDirectory } from '../model/checkpoint-directory.js';
import type { Gsva } from '../model/gsva.js';
import { type EncodedImage, encodeImages, stackFeatures } from '../model/image-features.js';
import type { Random } from '../random.js';
import type { PreparedImage } from '../types.js';
import { gsvaStep } from './gsva-step.js';
import type { MaskTargets } from './mask-objective.js';
import { trainableVariables } from './trainable.js';
import type { Gradients, TrainingTask } from './training-task.js';

export interface GsvaTaskOptions {
  readonly gsva: Gsva;
  readonly tokenizer: Tokenizer;
  /** Folder with the tokenizer's files, copied into checkpoints. */
  readonly tokenizerDir: string;
  readonly conversation: ConversationStyle;
  readonly dataset: Pick<ReferDataset, 'images' | 'target'>;
  /** At most so many expressions of an image in one conversation. */
  readonly expressionsPerSample: number;
  /** Conversations are cut to so many tokens, the image counted as one. */
  readonly maxLength: number;
  readonly meta: ModelMeta;
  readonly validate?: (signal?: AbortSignal) => Promise<Readonly<Record<string, number>>>;
}

/** A conversation with its targets; the image in one of two forms until it has been encoded. */
export interface GsvaSample {
  readonly index: number;
  readonly conversation: TokenizedConversation;
  readonly masks: Pick<MaskTargets, 'masks' | 'rejected'>;
  /** null when the image's features are known already. */
  readonly image: PreparedImage | null;
}

/** How often a draw of expressions that are all absent is drawn again before it is accepted. */
const REDRAWS = 10;

export class GsvaTask implements TrainingTask<GsvaSample> {
  readonly variables: ReadonlyMap<string, tf.Variable>;
  readonly validate?: (signal?: AbortSignal) => Promise<Readonly<Record<string, number>>>;
  private readonly encoded = new Map<number, EncodedImage>();

  constructor(private readonly options: GsvaTaskOptions) {
    this.variables = trainableVariables(options.gsva, 'gsva');
    if (options.validate !== undefined) this.validate = options.validate;
  }

  get sampleCount(): number {
    return this.options.dataset.images.length;
  }

  async prepare(index: number, random: Random): Promise<GsvaSample> {
    const { dataset, tokenizer, conversation, maxLength, gsva } = this.options;
    const image = this.imageAt(index);
    const targets = this.draw(image, random).map((expression) => dataset.target(image, expression));
    const user = trainingQuestion(
      random,
      targets.map((target) => target.expression),
    );
    const { text: assistant } = trainingAnswer(random, targets, 'res');
    const { clip, sam, tokens } = gsva.config;
    const tokenized = tokenizeConversation(tokenizer, conversation, [{ user, assistant }], { maxLength });
    const masks = targets.filter((target) => !target.isEmpty).map((target) => target.mask);
    // Where the end was cut off, so were its [SEG] and [REJ].
    const isCut = tokenized.labels.length >= maxLength;
    const left = (id: number): number => tokenized.labels.filter((label) => label === id).length;
    return {
      index,
      conversation: tokenized,
      masks: {
        masks: isCut ? masks.slice(0, left(tokens.seg)) : masks,
        rejected: isCut ? left(tokens.rej) : targets.length - masks.length,
      },
      image: this.encoded.has(index) ? null : prepareImage(await readImage(image.path), clip.imageSize, sam.imageSize),
    };
  }

  nameOf(sample: GsvaSample): string {
    return this.imageAt(sample.index).path;
  }

  async forwardBackward(batch: readonly GsvaSample[], random: Random): Promise<Gradients> {
    const { gsva, tokenizer } = this.options;
    await this.encode(batch);
    const images = batch.map((sample) => this.encodedImage(sample.index));
    const features = stackFeatures(gsva, images);
    try {
      const tokens = padBatch(
        batch.map((sample) => sample.conversation),
        tokenizer.padId,
      );
      const targets = batch.map((sample, row) => {
        const { resized, original } = images[row] as EncodedImage;
        return { ...sample.masks, resized, original };
      });
      const dropoutSeed = gsva.config.lora.dropout > 0 ? random.integer(2 ** 30) : null;
      return await gsvaStep(gsva, { tokens, targets, ...features }, this.variables, dropoutSeed);
    } finally {
      tf.dispose([features.clipFeatures, features.imageEmbeddings]);
    }
  }

  checkpointFiles(dir: string): Promise<void> {
    const { gsva, tokenizerDir, meta } = this.options;
    return writeModelDirectory(dir, gsva, { meta, tokenizerDir });
  }

  restore(dir: string): Promise<void> {
    loadModelWeights(dir, this.options.gsva);
    return Promise.resolve();
  }

  /** Expressions of one conversation, in random order; all-absent draws are drawn again, as in the reference. */
  private draw(image: ReferringImage, random: Random): ReferringImage['expressions'] {
    const count = this.options.expressionsPerSample;
    let drawn = random.shuffle(image.expressions).slice(0, count);
    for (let i = 0; i < REDRAWS && drawn.every((expression) => expression.isEmpty); i++) {
      drawn = random.shuffle(image.expressions).slice(0, count);
    }
    return drawn;
  }

  private async encode(batch: readonly GsvaSample[]): Promise<void> {
    const fresh = new Map<number, PreparedImage>();
    for (const { index, image } of batch) if (image !== null && !this.encoded.has(index)) fresh.set(index, image);
    if (fresh.size === 0) return;
    const encoded = await encodeImages(this.options.gsva, [...fresh.values()]);
    [...fresh.keys()].forEach((index, position) => this.encoded.set(index, encoded[position] as EncodedImage));
  }

  private encodedImage(index: number): EncodedImage {
    const encoded = this.encoded.get(index);
    if (encoded === undefined) throw new Error(`GsvaTask: image ${index} is not encoded`);
    return encoded;
  }

  private imageAt(index: number): ReferringImage {
    const image = this.options.dataset.images[index];
    if (image === undefined) throw new RangeError(`GsvaTask: no image ${index} in ${this.sampleCount}`);
    return image;
  }
}
