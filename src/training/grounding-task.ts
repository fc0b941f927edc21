/**
 * A system's own recipe: conversations about an image in which every target is answered by a decision token, or in words
 * alone. The encoders are frozen, so the features of images are kept.
 */
import { padBatch, type TokenizedConversation, tokenizeConversation } from '../data/text/conversation.js';
import type { PreparedImage } from '../types.js';
import { allEncoders, textEncoders } from '../data/image/prepare-image.js';
import { type LoadedSample, SampleLoader } from '../data/sampling/sample-loader.js';
import { epochLengthOf, type OrderedSets, sourceOf } from '../data/sampling/source-of.js';
import type { Lesson, MakeLessons, SampleOptions } from '../data/facts.js';
import * as tf from '../engine/tf.js';
import type { PendingFile } from '../io/atomic/pending-file.js';
import { loadModelWeights, modelDirectoryFiles, type ModelMeta } from '../checkpoints/checkpoint-directory.js';
import { stackFeatures, stackPrepared } from '../features/image-features.js';
import { rowsAbout, rowsAboutInputs } from '../features/image-rows.js';
import type { Random } from '../random.js';
import { IGNORE_LABEL } from '../special-tokens.js';
import { FeatureStore, type FoundImage, missing, NOTHING_FOUND } from '../features/feature-store.js';
import { imageKey } from '../features/image-key.js';
import type { MultimodalRows, TokenBatch } from '../networks/multimodal-rows.js';
import type { Gradients } from '../nn/loss-parts.js';
import { variablesOf } from '../checkpoints/parts.js';
import type { FeatureTensors, Geometry, GroundingModel, MaskTargets, System } from '../systems/system.js';
import type { TrainingStep, Vocabulary } from '../systems/system.js';
import type { TextOptions } from './base/grounding-tokens.js';
import type { SampleStream, TrainingTask } from './loop/training-task.js';

/** Sets to train on, and how they are loaded. */
export interface GroundingData extends OrderedSets {
  readonly sample: SampleOptions;
  /** Threads that load samples; default as in SampleLoader. */
  readonly workers?: number;
  /** Share of samples that may be bad; default as in SampleLoader. */
  readonly maxBadShare?: number;
}

export interface GroundingTaskOptions extends TextOptions {
  readonly system: Pick<System, 'recipe' | 'config' | 'pictures'>;
  readonly model: GroundingModel;
  readonly vocabulary: Pick<Vocabulary, 'found' | 'absent'>;
  readonly lessons: MakeLessons;
  /** Folder with the tokenizer's files, copied into checkpoints. */
  readonly tokenizerDir: string;
  /** Names of the parts that train; default: the model's own. */
  readonly trains?: readonly string[];
  readonly data: GroundingData;
  readonly meta: ModelMeta;
  /** Features of images, shared by runs with the same encoders; default: a store of its own. */
  readonly features?: FeatureStore;
  /** As `StepOptions` has it. */
  readonly recompute?: boolean;
  readonly validate?: (signal?: AbortSignal) => Promise<Readonly<Record<string, number>>>;
}

/** A conversation with its targets. */
export interface GroundingConversation {
  readonly tokenized: TokenizedConversation;
  readonly masks: Pick<MaskTargets, 'masks' | 'rejected'>;
}

/** All that is learned from an image. */
export interface GroundingSample {
  readonly name: string;
  /** Which image it is. */
  readonly key: string;
  /** At least one; each is a row of the batch. */
  readonly conversations: readonly GroundingConversation[];
  /** Features of the image that are known already. */
  readonly found: FoundImage;
  /** For the encoders that have yet to see it; null where there is none. */
  readonly image: PreparedImage | null;
}

export class GroundingTask implements TrainingTask<GroundingSample> {
  readonly variables: ReadonlyMap<string, tf.Variable>;
  readonly network: GroundingModel;
  readonly sampleCount: number;
  readonly validate?: NonNullable<GroundingTaskOptions['validate']>;
  private readonly features: FeatureStore;
  private readonly step: TrainingStep;

  /** @throws UserError where there is no set to train on, or one without images */
  constructor(private readonly options: GroundingTaskOptions) {
    const { model, system } = options;
    this.network = model;
    this.variables = variablesOf(model, options.trains ?? model.trains);
    this.step = system.recipe.step(model, this.variables);
    this.sampleCount = epochLengthOf(options.data);
    this.features = options.features ?? new FeatureStore(imageKey);
    if (options.validate !== undefined) this.validate = options.validate;
  }

  samples(random: Random, report: (message: string) => void): SampleStream<GroundingSample> {
    const { sample: sampleOptions, workers, maxBadShare, ...ordered } = this.options.data;
    const { system, model } = this.options;
    const pictures = system.pictures(model.config);
    const [all, forText] = [allEncoders(pictures), textEncoders(pictures)];
    const loader = new SampleLoader(sourceOf(ordered, random), {
      sample: sampleOptions,
      ...(workers === undefined ? {} : { workers }),
      ...(maxBadShare === undefined ? {} : { maxBadShare }),
      // A position passed over would move the last places of all later micro-batches.
      ...(ordered.repetition === undefined
        ? {}
        : { isUsable: (lessons) => lessons.some((lesson) => this.tokenize(lesson) !== null) }),
      lessons: this.options.lessons,
      emptyMasks: this.options.vocabulary.absent.length === 0,
      pictures,
      onBadSample: ({ set, message }) => {
        report(`A sample of ${set} is left out: ${message}`);
      },
    });
    const tooLong = new Set<string>();
    return {
      at: async (position) => {
        let found: FoundImage = NOTHING_FOUND;
        const loaded = await loader.load(position, async (image) => {
          // Encoders that train see every image each time.
          if (system.recipe.trainsEncoders === true) return all;
          const wanted = image.kind === 'vqa' ? forText : all;
          found = await this.features.find(image.path, wanted);
          return missing(found, wanted);
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

  nameOf(sample: GroundingSample): string {
    return sample.name;
  }

  async forwardBackward(batch: readonly GroundingSample[], random: Random): Promise<Gradients> {
    const { model, system } = this.options;
    const conversations = batch.flatMap(({ conversations, ...sample }, image) =>
      conversations.map((row) => ({ ...sample, ...row, imageOf: image })),
    );
    if (system.recipe.trainsEncoders === true) {
      const images = batch.map(({ name, image }) => {
        if (image === null) throw new Error(`GroundingTask: ${name} has no input for encoders that train`);
        return image;
      });
      const features = stackPrepared(model, images);
      const imageOf = conversations.map((each) => each.imageOf);
      const rows = rowsAboutInputs(model, this.tokensOf(conversations), images, imageOf);
      return this.stepOn(
        conversations,
        rows,
        features,
        imageOf.map((image) => images[image] as PreparedImage),
        random,
      );
    }
    const images = await this.features.encode(model, conversations);
    const encoders = Object.keys(model.encoders);
    conversations.forEach(({ name, masks }, i) => {
      const absent = encoders.find((encoder) => images[i]?.features[encoder] === undefined);
      if (masks.masks.length === 0 || absent === undefined) return;
      throw new Error(`GroundingTask: masks are asked for in ${name}, which "${absent}" has not encoded`);
    });
    const rows = rowsAbout(model, this.tokensOf(conversations), images);
    return this.stepOn(conversations, rows, stackFeatures(model, images), images, random);
  }

  private tokensOf(conversations: readonly GroundingConversation[]): TokenBatch {
    const texts = conversations.map(({ tokenized }) => tokenized);
    return padBatch(texts, this.options.tokenizer.padId);
  }

  /** @param features disposed @param images of the rows */
  private async stepOn(
    conversations: readonly GroundingConversation[],
    rows: MultimodalRows,
    features: FeatureTensors,
    images: readonly Geometry[],
    random: Random,
  ): Promise<Gradients> {
    const { vocabulary } = this.options;
    try {
      const found = rows.statesBefore(vocabulary.found, 'supervised');
      const places = found.map(({ row, position }) => ({ row, states: [position] }));
      const targets = conversations.map(({ masks }, i) => {
        const { resized, original } = images[i] as (typeof images)[number];
        return { ...masks, resized, original };
      });
      const dropoutSeed = random.integer(2 ** 30);
      const { recompute = true } = this.options;
      return await this.step({ rows, features, places, targets }, { dropoutSeed, recompute });
    } finally {
      tf.dispose(features);
    }
  }

  checkpointFiles(): Promise<PendingFile[]> {
    const { system, model, tokenizerDir, meta } = this.options;
    return modelDirectoryFiles(model, { config: system.config.toJson(model.config), meta, tokenizerDir });
  }

  restore(dir: string): Promise<void> {
    loadModelWeights(dir, this.options.model);
    return Promise.resolve();
  }

  /** null where nothing of the answers is left after the cut: there is nothing to learn. */
  private sampleOf({ name, key, image, conversations }: LoadedSample, found: FoundImage): GroundingSample | null {
    const left = conversations.map((conversation) => this.tokenize(conversation)).filter((row) => row !== null);
    return left.length === 0 ? null : { name, key, found, image, conversations: left };
  }

  private tokenize({ turns, targets }: Lesson): GroundingConversation | null {
    const { tokenizer, conversation, maxLength, vocabulary } = this.options;
    const tokenized = tokenizeConversation(tokenizer, conversation, turns, { maxLength });
    if (tokenized.labels.every((label) => label === IGNORE_LABEL)) return null;
    const masks = targets.flatMap(({ mask }) => mask ?? []);
    // Where the end was cut off, so were its decisions.
    const isCut = tokenized.labels.length >= maxLength;
    const left = (ids: readonly number[]): number => tokenized.labels.filter((label) => ids.includes(label)).length;
    return {
      tokenized,
      masks: {
        masks: isCut ? masks.slice(0, left(vocabulary.found)) : masks,
        rejected: isCut ? left(vocabulary.absent) : targets.length - masks.length,
      },
    };
  }
}
