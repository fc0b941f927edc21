/**
 * The last of the base's tasks: the whole model on scene grounding. What an expression is about is answered in words,
 * and what is there is shown by its mask; the state that decides makes the mask's query, as in GSVA.
 */
import {
  type ConversationStyle,
  padBatch,
  type TokenizedConversation,
  tokenizeConversation,
} from '../data/conversation.js';
import { prepareImage } from '../data/prepare-image.js';
import {
  ABSENT_WORD,
  type GroundingConversation,
  type GroundingCounts,
  groundingConversation,
  PRESENT_WORD,
} from '../data/synth/base-text.js';
import { visibleMask } from '../data/synth/scene.js';
import type { Tokenizer } from '../data/tokenizer.js';
import * as tf from '../engine/tf.js';
import type { Gsva } from '../model/gsva.js';
import { stackImages } from '../model/image-features.js';
import { VisionTextTokens } from '../model/vision-text-tokens.js';
import { Random } from '../random.js';
import { IGNORE_LABEL } from '../special-tokens.js';
import type { PreparedImage } from '../types.js';
import { type JointBatch, jointStep } from './joint-step.js';
import { maskIous } from './mask-ious.js';
import type { MaskTargets } from './mask-objective.js';
import type { ScenePool } from './scene-pool.js';
import { trainableVariables } from './trainable.js';
import type { Gradients, TrainingTask } from './training-task.js';

export interface BaseJointTaskOptions {
  readonly gsva: Gsva;
  readonly tokenizer: Tokenizer;
  readonly conversation: ConversationStyle;
  readonly maxLength: number;
  readonly pool: ScenePool;
  readonly scenes: number;
  /** Expressions and words asked about a scene, together. */
  readonly itemsPerScene: number;
  /** Scenes after the training ones, for validation. */
  readonly validationScenes: number;
  readonly save: (dir: string) => Promise<void>;
  readonly load: (dir: string) => Promise<void>;
}

export interface JointSample {
  readonly index: number;
  readonly image: PreparedImage;
  readonly conversation: TokenizedConversation;
  readonly targets: MaskTargets;
}

/** Share of the conversations whose question names the expressions, which makes them twice as long. */
const NAMED = 0.25;
/** Share of single words among what is asked. */
const WORDS = 1 / 3;
const VALIDATION_BATCH = 16;

export class BaseJointTask implements TrainingTask<JointSample> {
  readonly variables: ReadonlyMap<string, tf.Variable>;
  private readonly present: number;
  private readonly absent: number;

  constructor(private readonly options: BaseJointTaskOptions) {
    const { gsva, tokenizer } = options;
    this.variables = trainableVariables(gsva, 'base-joint');
    this.present = onlyToken(tokenizer, PRESENT_WORD);
    this.absent = onlyToken(tokenizer, ABSENT_WORD);
  }

  get sampleCount(): number {
    return this.options.scenes;
  }

  prepare(index: number, random: Random): Promise<JointSample> {
    const { itemsPerScene } = this.options;
    // A question that names the expressions says them twice: half as many are asked.
    const named = random.uniform() < NAMED;
    const items = named ? Math.ceil(itemsPerScene / 2) : itemsPerScene;
    const words = Math.floor(items * WORDS);
    return Promise.resolve(this.sample(index, random, { expressions: items - words, words }, named));
  }

  nameOf(sample: JointSample): string {
    return `base scene ${sample.index}`;
  }

  forwardBackward(batch: readonly JointSample[]): Gradients {
    const joint = this.collate(batch);
    const gradients = jointStep(this.options.gsva, joint, this.variables, this.present);
    tf.dispose([joint.clipImages, joint.samImages]);
    return gradients;
  }

  /**
   * On unseen scenes, asked for the benchmark's expressions alone: how often what is absent is answered so (`absent`),
   * and what is there (`present`), and the mean IoU of the masks of all that is there (`maskIoU`).
   */
  async validate(): Promise<Readonly<Record<string, number>>> {
    const { scenes, validationScenes, itemsPerScene } = this.options;
    const absent: number[] = [];
    const present: number[] = [];
    const ious: number[] = [];
    for (let first = 0; first < validationScenes; first += VALIDATION_BATCH) {
      const size = Math.min(VALIDATION_BATCH, validationScenes - first);
      const counts = { expressions: itemsPerScene, words: 0 };
      const samples = Array.from({ length: size }, (_, i) => {
        const index = scenes + first + i;
        return this.sample(index, new Random(index), counts, false);
      });
      const { isPresent, saysPresent, masks } = await this.answer(samples);
      isPresent.forEach((there, i) => (there ? present : absent).push(saysPresent[i] === there ? 1 : 0));
      ious.push(...masks);
    }
    return { absent: mean(absent), present: mean(present), maskIoU: mean(ious) };
  }

  checkpointFiles(dir: string): Promise<void> {
    return this.options.save(dir);
  }

  restore(dir: string): Promise<void> {
    return this.options.load(dir);
  }

  private sample(index: number, random: Random, counts: GroundingCounts, named: boolean): JointSample {
    const { pool, gsva } = this.options;
    const { scene, image } = pool.get(index);
    const prepared = prepareImage(image, gsva.config.clip.imageSize, gsva.config.sam.imageSize);
    const grounding = groundingConversation(scene, random, counts, named);
    const conversation = this.tokenize(grounding);
    // Where the end was cut off, its masks were too.
    const shown = conversation.labels.filter((label) => label === this.present).length;
    const masks = grounding.asked.filter(({ objects }) => objects.length > 0).slice(0, shown);
    const targets = {
      masks: masks.map(({ objects }) => visibleMask(scene, objects)),
      rejected: 0,
      resized: prepared.resized,
      original: prepared.original,
    };
    return { index, image: prepared, conversation, targets };
  }

  private tokenize({ turn, named }: GroundingConversation): TokenizedConversation {
    const { tokenizer, conversation, maxLength } = this.options;
    const { inputIds, labels } = tokenizeConversation(tokenizer, conversation, [turn], { maxLength });
    if (named) return { inputIds, labels };
    const decides = (id: number): boolean => id === this.present || id === this.absent;
    return { inputIds, labels: labels.map((label) => (decides(label) ? label : IGNORE_LABEL)) };
  }

  /** What the model says at each decision, by the likelier of the two words, and the IoU of each mask that is there. */
  private async answer(
    samples: readonly JointSample[],
  ): Promise<{ isPresent: boolean[]; saysPresent: boolean[]; masks: number[] }> {
    const { gsva } = this.options;
    const { tokens, clipImages, samImages, targets } = this.collate(samples);
    const decisions = new VisionTextTokens(tokens, gsva.patches).statesBefore(
      [this.present, this.absent],
      'supervised',
    );
    const shown = decisions.filter(({ id }) => id === this.present);
    const { choice, masks } = tf.tidy(() => {
      const { lastHidden, imageEmbeddings } = gsva.forward({ clipImages, samImages, tokens });
      const logits = gsva.lmHead.forward(gsva.statesAt(lastHidden, decisions.map(positionOf)));
      const pair = tf.gather(logits, tf.tensor1d([this.absent, this.present], 'int32'), 1);
      const queries = gsva.maskQueries(lastHidden, shown.map(positionOf));
      const rows = shown.map(({ row }) => row);
      return { choice: tf.argMax(pair, 1), masks: gsva.decodeMasks(queries, imageEmbeddings, rows).lowResMasks };
    });
    const saysPresent = Array.from(await choice.data(), (index) => index === 1);
    const ious = maskIous(masks, targets, gsva.config.sam.imageSize);
    tf.dispose([choice, masks, clipImages, samImages]);
    return { isPresent: decisions.map(({ id }) => id === this.present), saysPresent, masks: ious };
  }

  private collate(samples: readonly JointSample[]): JointBatch & { readonly samImages: tf.Tensor4D } {
    const { gsva, tokenizer } = this.options;
    const { clip, sam } = gsva.config;
    const conversations = samples.map(({ conversation }) => conversation);
    return {
      tokens: padBatch(conversations, tokenizer.padId),
      clipImages: stackImages(
        samples.map(({ image }) => image.clipInput),
        clip.imageSize,
      ),
      samImages: stackImages(
        samples.map(({ image }) => image.samInput),
        sam.imageSize,
      ),
      targets: samples.map((sample) => sample.targets),
    };
  }
}

/** The token of a word inside a sentence. */
function onlyToken(tokenizer: Tokenizer, word: string): number {
  const [id, ...more] = tokenizer.encode(word, { addBos: false });
  if (id === undefined || more.length > 0) {
    throw new Error(`BaseJointTask: the tokenizer has no single token for "${word}"`);
  }
  return id;
}

function positionOf({ position }: { readonly position: number }): number {
  return position;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
