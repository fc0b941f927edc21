/**
 * The base's third task: φ and F_LLM on captions, F_V1 as it is, as LLaVA begins. Every object is written down with its
 * colour, shape and place, so each word must be looked up in the vision tokens.
 */
import {
  type ConversationStyle,
  padBatch,
  type TokenizedConversation,
  tokenizeConversation,
} from '../../data/text/conversation.js';
import { clipTransform } from '../../data/image/image-transforms.js';
import { captionTurn } from '../../synthetic/base-text.js';
import type { Tokenizer } from '../../data/text/tokenizer.js';
import * as tf from '../../engine/tf.js';
import type { PendingFile } from '../../io/atomic/pending-file.js';
import type { Gsva } from '../../systems/gsva/gsva.js';
import { stackImages } from '../../features/image-features.js';
import { MultimodalRows } from '../../networks/multimodal-rows.js';
import { Random } from '../../random.js';
import { epochSamples } from '../loop/epoch-samples.js';
import { jointStep } from './joint-step.js';
import type { ScenePool } from './scene-pool.js';
import { likeliest, readLikeliest } from './likeliest.js';
import { trainableVariables } from '../trainable.js';
import type { Gradients, SampleStream, TrainingTask } from '../loop/training-task.js';

export interface BaseCaptionTaskOptions {
  readonly gsva: Gsva;
  readonly tokenizer: Tokenizer;
  readonly conversation: ConversationStyle;
  readonly maxLength: number;
  readonly pool: ScenePool;
  readonly scenes: number;
  /** Scenes after the training ones, for validation. */
  readonly validationScenes: number;
  readonly save: () => Promise<PendingFile[]>;
  readonly load: (dir: string) => Promise<void>;
}

export interface CaptionSample {
  readonly index: number;
  readonly input: Float32Array;
  readonly conversation: TokenizedConversation;
}

const VALIDATION_BATCH = 16;

export class BaseCaptionTask implements TrainingTask<CaptionSample> {
  readonly network: Gsva;
  readonly variables: ReadonlyMap<string, tf.Variable>;

  constructor(private readonly options: BaseCaptionTaskOptions) {
    this.network = options.gsva;
    this.variables = trainableVariables(options.gsva, 'base-caption');
  }

  get sampleCount(): number {
    return this.options.scenes;
  }

  samples(random: Random): SampleStream<CaptionSample> {
    return epochSamples(this.sampleCount, random, (index, draw) => this.prepare(index, draw));
  }

  prepare(index: number, random: Random): Promise<CaptionSample> {
    const { pool, gsva, tokenizer, conversation, maxLength } = this.options;
    const { scene, image } = pool.get(index);
    return Promise.resolve({
      index,
      input: clipTransform(image, gsva.config.clip.imageSize).data,
      conversation: tokenizeConversation(tokenizer, conversation, [captionTurn(scene, random)], { maxLength }),
    });
  }

  nameOf(sample: CaptionSample): string {
    return `base scene ${sample.index}`;
  }

  async forwardBackward(batch: readonly CaptionSample[]): Promise<Gradients> {
    const { gsva } = this.options;
    const clipImages = this.stack(batch);
    const targets = batch.map(() => ({ masks: [], rejected: 0, resized: [1, 1], original: [1, 1] }) as const);
    const joint = { tokens: this.pad(batch), clipImages, samImages: null, asking: batch.map(() => []), targets };
    try {
      return await jointStep(gsva, joint, this.variables);
    } finally {
      clipImages.dispose();
    }
  }

  /**
   * Share of the captions' tokens that are foreseen right on unseen scenes (`tokens`), and the same with each caption
   * beside another scene's image (`blind`): the difference is what is read off the image.
   */
  async validate(): Promise<Readonly<Record<string, number>>> {
    const { scenes, validationScenes } = this.options;
    const right = { tokens: 0, blind: 0 };
    let asked = 0;
    for (let first = 0; first < validationScenes; first += VALIDATION_BATCH) {
      const size = Math.min(VALIDATION_BATCH, validationScenes - first);
      const indices = Array.from({ length: size }, (_, i) => scenes + first + i);
      const samples = await Promise.all(indices.map((index) => this.prepare(index, new Random(index))));
      const layout = new MultimodalRows(this.pad(samples), this.options.gsva.patches);
      asked += layout.supervised().targets.length;
      right.tokens += await this.foreseen(layout, samples);
      right.blind += await this.foreseen(layout, [...samples.slice(1), ...samples.slice(0, 1)]);
    }
    return { tokens: right.tokens / Math.max(1, asked), blind: right.blind / Math.max(1, asked) };
  }

  checkpointFiles(): Promise<PendingFile[]> {
    return this.options.save();
  }

  restore(dir: string): Promise<void> {
    return this.options.load(dir);
  }

  /** How many supervised tokens are the likeliest ones beside the images of `seen`. */
  private async foreseen(layout: MultimodalRows, seen: readonly CaptionSample[]): Promise<number> {
    const { gsva } = this.options;
    const { positions, targets } = layout.supervised();
    const compute = (): tf.Tensor1D => {
      const visionTokens = gsva.projector.forward(gsva.visionTower.forward(this.stack(seen))) as tf.Tensor3D;
      const context = gsva.llama.context(0, layout.time, layout.lengths);
      const [hidden] = gsva.llama.forward(gsva.embed(layout, visionTokens), context);
      return likeliest(gsva.lmHead.forward(gsva.statesAt(hidden as tf.Tensor3D, positions)) as tf.Tensor2D);
    };
    const answer = tf.tidy(compute);
    const rerun = (): void => {
      tf.dispose(tf.tidy(compute));
    };
    const said = await readLikeliest(gsva, answer, rerun).finally(() => {
      answer.dispose();
    });
    return targets.filter((target, i) => said[i] === target).length;
  }

  private pad(samples: readonly CaptionSample[]): ReturnType<typeof padBatch> {
    return padBatch(
      samples.map((sample) => sample.conversation),
      this.options.tokenizer.padId,
    );
  }

  private stack(samples: readonly CaptionSample[]): tf.Tensor4D {
    const inputs = samples.map((sample) => sample.input);
    return stackImages(inputs, this.options.gsva.config.clip.imageSize);
  }
}
