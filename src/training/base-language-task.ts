/**
 * The base's multimodal LLM: φ and F_LLM, trained on questions and answers about scenes. It learns to read what it is
 * asked, to look it up in the vision tokens, and to say where things are; it knows nothing of [SEG], [REJ] or masks.
 */
import {
  type ConversationStyle,
  padBatch,
  type TokenizedConversation,
  tokenizeConversation,
} from '../data/conversation.js';
import { clipTransform } from '../data/image-transforms.js';
import { baseConversation } from '../data/synth/base-text.js';
import type { Tokenizer } from '../data/tokenizer.js';
import * as tf from '../engine/tf.js';
import type { Gsva } from '../model/gsva.js';
import { stackImages } from '../model/image-features.js';
import { VisionTextTokens } from '../model/vision-text-tokens.js';
import { Random } from '../random.js';
import { languageStep } from './language-step.js';
import type { ScenePool } from './scene-pool.js';
import { trainableVariables } from './trainable.js';
import type { Gradients, TrainingTask } from './training-task.js';

export interface BaseLanguageTaskOptions {
  readonly gsva: Gsva;
  readonly tokenizer: Tokenizer;
  readonly conversation: ConversationStyle;
  readonly maxLength: number;
  readonly pool: ScenePool;
  readonly scenes: number;
  /** Expressions in the first question about a scene. */
  readonly expressionsPerScene: number;
  /** Scenes after the training ones, for validation. */
  readonly validationScenes: number;
  readonly save: (dir: string) => Promise<void>;
  readonly load: (dir: string) => Promise<void>;
}

export interface LanguageSample {
  readonly index: number;
  readonly input: Float32Array;
  readonly conversation: TokenizedConversation;
}

const VALIDATION_BATCH = 16;

export class BaseLanguageTask implements TrainingTask<LanguageSample> {
  readonly variables: ReadonlyMap<string, tf.Variable>;
  private readonly noId: number;
  private readonly colonId: number;

  constructor(private readonly options: BaseLanguageTaskOptions) {
    this.variables = trainableVariables(options.gsva, 'base-mllm');
    const { tokenizer } = options;
    [, this.colonId = -1, this.noId = -1] = tokenizer.encode('circle: no', { addBos: false });
  }

  get sampleCount(): number {
    return this.options.scenes;
  }

  prepare(index: number, random: Random): Promise<LanguageSample> {
    const { pool, gsva, tokenizer, conversation, maxLength, expressionsPerScene } = this.options;
    const { scene, image } = pool.get(index);
    const turns = baseConversation(scene, random, expressionsPerScene);
    return Promise.resolve({
      index,
      input: clipTransform(image, gsva.config.clip.imageSize).data,
      conversation: tokenizeConversation(tokenizer, conversation, turns, { maxLength }),
    });
  }

  nameOf(sample: LanguageSample): string {
    return `base scene ${sample.index}`;
  }

  forwardBackward(batch: readonly LanguageSample[]): Gradients {
    const clipImages = this.stack(batch);
    const gradients = languageStep(this.options.gsva, { clipImages, tokens: this.pad(batch) }, this.variables);
    clipImages.dispose();
    return gradients;
  }

  /**
   * Teacher-forced on unseen scenes: share of supervised tokens that are right (`tokens`), and, where an expression is
   * answered, how often what is absent gets "no" (`absent`) and what is there gets its exact column (`present`).
   */
  async validate(): Promise<Readonly<Record<string, number>>> {
    const { scenes, validationScenes } = this.options;
    const counts = { tokens: new Share(), absent: new Share(), present: new Share(), found: new Share() };
    for (let first = 0; first < validationScenes; first += VALIDATION_BATCH) {
      const size = Math.min(VALIDATION_BATCH, validationScenes - first);
      const indices = Array.from({ length: size }, (_, i) => scenes + first + i);
      const samples = await Promise.all(indices.map((index) => this.prepare(index, new Random(index))));
      const { predicted, targets, previous } = this.predict(samples);
      targets.forEach((target, i) => {
        const right = predicted[i] === target;
        counts.tokens.add(right);
        if (previous[i] !== this.colonId) return;
        if (target === this.noId) counts.absent.add(right);
        else {
          counts.present.add(right);
          counts.found.add(predicted[i] !== this.noId);
        }
      });
    }
    return Object.fromEntries(Object.entries(counts).map(([name, share]) => [name, share.value]));
  }

  checkpointFiles(dir: string): Promise<void> {
    return this.options.save(dir);
  }

  restore(dir: string): Promise<void> {
    return this.options.load(dir);
  }

  /** Greedy next tokens at the supervised positions, with the tokens themselves and the ones before them. */
  private predict(samples: readonly LanguageSample[]): {
    predicted: Int32Array;
    targets: Int32Array;
    previous: number[];
  } {
    const { gsva } = this.options;
    const tokens = this.pad(samples);
    const layout = new VisionTextTokens(tokens, gsva.patches);
    const { positions, targets } = layout.supervised();
    const predicted = tf.tidy(() => {
      const visionTokens = gsva.projector.forward(gsva.visionTower.forward(this.stack(samples))) as tf.Tensor3D;
      const context = gsva.llama.context(0, layout.time, layout.lengths);
      const [hidden] = gsva.llama.forward(gsva.embed(layout, visionTokens), context);
      return tf.argMax(gsva.lmHead.forward(gsva.statesAt(hidden as tf.Tensor3D, positions)), 1);
    });
    const previous = Array.from(positions, (position) => layout.textIndex[position] ?? 0);
    const ids = predicted.dataSync() as Int32Array;
    predicted.dispose();
    return { predicted: ids, targets, previous };
  }

  private pad(samples: readonly LanguageSample[]): ReturnType<typeof padBatch> {
    return padBatch(
      samples.map((sample) => sample.conversation),
      this.options.tokenizer.padId,
    );
  }

  private stack(samples: readonly LanguageSample[]): tf.Tensor4D {
    const inputs = samples.map((sample) => sample.input);
    return stackImages(inputs, this.options.gsva.config.clip.imageSize);
  }
}

/** Counts how often something was so. */
class Share {
  private yes = 0;
  private all = 0;

  add(isSo: boolean): void {
    if (isSo) this.yes++;
    this.all++;
  }

  get value(): number {
    return this.yes / Math.max(1, this.all);
  }
}
