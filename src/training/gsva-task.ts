/**
 * GSVA's recipe: one conversation per image about some of its expressions or classes, every target answered with [SEG]
 * or [REJ], or a conversation in words alone. F_V1 and F_V2 are frozen, so the features of images are kept.
 */
import { segIds } from '../config.js';
import {
  type ConversationStyle,
  padBatch,
  type TokenizedConversation,
  tokenizeConversation,
} from '../data/text/conversation.js';
import { type KindWeights, MixedSampler } from '../data/sampling/mixed-sampler.js';
import type { PartlyPreparedImage } from '../data/image/prepare-image.js';
import { type LoadedSample, SampleLoader } from '../data/sampling/sample-loader.js';
import { type AnySet, imagesOf } from '../data/sampling/sample-source.js';
import type { Tokenizer } from '../data/text/tokenizer.js';
import type { Lesson } from '../data/facts.js';
import type { SampleOptions } from '../data/sampling/training-sample.js';
import { gsvaLessons } from '../systems/gsva/lessons.js';
import { GSVA_VARIANT, type Variant } from '../variant.js';
import { WholeEpochs } from '../data/sampling/whole-epochs.js';
import * as tf from '../engine/tf.js';
import type { PendingFile } from '../io/atomic/pending-file.js';
import { loadModelWeights, modelDirectoryFiles, type ModelMeta } from '../checkpoints/checkpoint-directory.js';
import type { Gsva } from '../systems/gsva/gsva.js';
import { stackFeatures } from '../features/image-features.js';
import type { Random } from '../random.js';
import { IGNORE_LABEL } from '../special-tokens.js';
import { gsvaStep } from './gsva-step.js';
import { type FoundFeatures, KeptFeatures, needsOf, NOTHING_FOUND } from '../features/kept-features.js';
import type { MaskTargets } from './mask-objective.js';
import { trainableVariables } from './trainable.js';
import type { Gradients, SampleStream, TrainingTask } from './loop/training-task.js';

/** What is trained on, and how it is loaded. */
export interface GsvaData {
  readonly sets: readonly AnySet[];
  /** Shares of the kinds in a mixture; null: every image once in an epoch. */
  readonly weights: KindWeights | null;
  readonly sample: SampleOptions;
  /** What answers are made of; default: as published. */
  readonly variant?: Variant;
  /** Threads that load samples; default as in SampleLoader. */
  readonly workers?: number;
  /** Share of samples that may be bad; default as in SampleLoader. */
  readonly maxBadShare?: number;
}

export interface GsvaTaskOptions {
  readonly gsva: Gsva;
  readonly tokenizer: Tokenizer;
  /** Folder with the tokenizer's files, copied into checkpoints. */
  readonly tokenizerDir: string;
  readonly conversation: ConversationStyle;
  readonly data: GsvaData;
  /** Conversations are cut to so many tokens, the image counted as one. */
  readonly maxLength: number;
  readonly meta: ModelMeta;
  /** What the encoders said of images in other runs with the same encoders and data; default: nothing yet. */
  readonly features?: KeptFeatures;
  /** As gsvaStep takes it. */
  readonly recompute?: boolean;
  readonly validate?: (signal?: AbortSignal) => Promise<Readonly<Record<string, number>>>;
}

/** A conversation with its targets. */
export interface GsvaConversation {
  readonly tokenized: TokenizedConversation;
  readonly masks: Pick<MaskTargets, 'masks' | 'rejected'>;
}

/** What is learned from an image. */
export interface GsvaSample {
  readonly name: string;
  /** Which image it is. */
  readonly key: string;
  /** At least one; each is a row of the batch. */
  readonly conversations: readonly GsvaConversation[];
  /** What is known of the image already. */
  readonly found: FoundFeatures;
  /** For the encoders that have yet to see it; null where there is none. */
  readonly image: PartlyPreparedImage | null;
}

export class GsvaTask implements TrainingTask<GsvaSample> {
  readonly variables: ReadonlyMap<string, tf.Variable>;
  readonly network: Gsva;
  readonly sampleCount: number;
  readonly validate?: (signal?: AbortSignal) => Promise<Readonly<Record<string, number>>>;
  private readonly features: KeptFeatures;

  /** @throws UserError where there is no set to train on, or one without images */
  constructor(private readonly options: GsvaTaskOptions) {
    this.network = options.gsva;
    this.variables = trainableVariables(options.gsva, 'gsva');
    this.sampleCount = imagesOf(options.data.sets);
    this.features = options.features ?? new KeptFeatures();
    if (options.validate !== undefined) this.validate = options.validate;
  }

  samples(random: Random, report: (message: string) => void): SampleStream<GsvaSample> {
    const { sets, weights, variant = GSVA_VARIANT, ...loading } = this.options.data;
    const { clip, sam } = this.options.gsva.config;
    const source = weights === null ? new WholeEpochs(sets, random) : new MixedSampler(sets, random, weights);
    const loader = new SampleLoader(source, {
      ...loading,
      lessons: (facts, random) => gsvaLessons(facts, random, variant),
      emptyMasks: !variant.reject,
      clipSize: clip.imageSize,
      samSize: sam.imageSize,
      onBadSample: ({ set, message }) => {
        report(`A sample of ${set} is left out: ${message}`);
      },
    });
    const tooLong = new Set<string>();
    return {
      at: async (position) => {
        let found: FoundFeatures = NOTHING_FOUND;
        const loaded = await loader.load(position, async (image) => {
          found = await this.features.find(image);
          return needsOf(found);
        });
        if (loaded === null) return null;
        const sample = this.sampleOf(loaded, found);
        if (sample === null && !tooLong.has(loaded.key)) {
          tooLong.add(loaded.key);
          report(`A sample is left out: a question about ${loaded.name} fills all ${this.options.maxLength} tokens.`);
        }
        return sample;
      },
      close: async () => {
        await loader.close();
        await this.features.flush();
        const { samples, bad } = loader.counts;
        if (bad > 0) report(`${bad} of ${samples} samples could not be used.`);
      },
    };
  }

  nameOf(sample: GsvaSample): string {
    return sample.name;
  }

  async forwardBackward(batch: readonly GsvaSample[], random: Random): Promise<Gradients> {
    const { gsva, tokenizer } = this.options;
    const rows = batch.flatMap(({ conversations, ...sample }) => conversations.map((row) => ({ ...sample, ...row })));
    const images = await this.features.of(gsva, rows);
    rows.forEach(({ name, masks }, i) => {
      if (masks.masks.length === 0 || images[i]?.imageEmbedding !== null) return;
      throw new Error(`GsvaTask: masks are asked for in ${name}, which F_V2 has not seen`);
    });
    const features = stackFeatures(gsva, images);
    try {
      const tokens = padBatch(
        rows.map((row) => row.tokenized),
        tokenizer.padId,
      );
      const targets = rows.map((row, i) => {
        const { resized, original } = images[i] as (typeof images)[number];
        return { ...row.masks, resized, original };
      });
      const dropoutSeed = gsva.config.lora.dropout > 0 ? random.integer(2 ** 30) : null;
      const { recompute = true } = this.options;
      return await gsvaStep(gsva, { tokens, targets, ...features }, this.variables, { dropoutSeed, recompute });
    } finally {
      tf.dispose([features.clipFeatures, features.imageEmbeddings]);
    }
  }

  checkpointFiles(): Promise<PendingFile[]> {
    const { gsva, tokenizerDir, meta } = this.options;
    return modelDirectoryFiles(gsva, { meta, tokenizerDir });
  }

  restore(dir: string): Promise<void> {
    loadModelWeights(dir, this.options.gsva);
    return Promise.resolve();
  }

  /** null where nothing of the answers is left after the cut: there is nothing to learn. */
  private sampleOf({ name, key, image, conversations }: LoadedSample, found: FoundFeatures): GsvaSample | null {
    const left = conversations.map((conversation) => this.tokenize(conversation)).filter((row) => row !== null);
    return left.length === 0 ? null : { name, key, found, image, conversations: left };
  }

  private tokenize({ turns, targets }: Lesson): GsvaConversation | null {
    const { tokenizer, conversation, maxLength, gsva } = this.options;
    const { tokens } = gsva.config;
    const tokenized = tokenizeConversation(tokenizer, conversation, turns, { maxLength });
    if (tokenized.labels.every((label) => label === IGNORE_LABEL)) return null;
    const masks = targets.flatMap(({ mask }) => mask ?? []);
    // Where the end was cut off, so were its [SEG] and [REJ].
    const isCut = tokenized.labels.length >= maxLength;
    const left = (ids: readonly number[]): number => tokenized.labels.filter((label) => ids.includes(label)).length;
    return {
      tokenized,
      masks: {
        masks: isCut ? masks.slice(0, left(segIds(tokens))) : masks,
        rejected: isCut ? left([tokens.rej]) : targets.length - masks.length,
      },
    };
  }
}
