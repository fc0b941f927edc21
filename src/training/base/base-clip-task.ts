/**
 * The base's F_V1 and φ: vision tokens are matched with words, as CLIP matches images with texts. Each patch, projected
 * by φ, must be nearest by cosine to LLaMA's embeddings of the colour, shape and place of its object; cosine, since
 * LLaMA's layers begin with a norm.
 */
import { clipTransform } from '../../data/image/image-transforms.js';
import type { Tokenizer } from '../../data/text/tokenizer.js';
import * as fused from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import { stackImages } from '../../features/image-features.js';
import { differentiate, GradientMap } from '../../nn/backprop.js';
import { type Gradients, type LossParts, stepWithLosses } from '../../nn/loss-parts.js';
import { BaseTask, type BaseTaskOptions } from './base-task.js';
import { likeliest, readLikeliest } from './mask-ious.js';
import { patchLabels, type PatchLabels, PATCH_WORDS, type PatchQuestion } from './patch-labels.js';

export interface BaseClipTaskOptions extends BaseTaskOptions {
  readonly tokenizer: Tokenizer;
}

export interface ClipSample {
  readonly index: number;
  readonly input: Float32Array;
  readonly labels: PatchLabels;
}

/** Cosines are divided by it; CLIP learns its own between 0.07 and 0.01. */
const TEMPERATURE = 0.035;
const QUESTIONS = Object.keys(PATCH_WORDS) as PatchQuestion[];

export class BaseClipTask extends BaseTask<ClipSample, BaseClipTaskOptions> {
  /** Token ids of the words that a question can be answered with. */
  private readonly words: Readonly<Record<string, readonly number[]>>;

  constructor(options: BaseClipTaskOptions) {
    super(options, 'base-clip');
    const { tokenizer } = options;
    this.words = Object.fromEntries(
      QUESTIONS.map((question) => [question, PATCH_WORDS[question].map((word) => lastToken(tokenizer, word))]),
    );
  }

  prepare(index: number): Promise<ClipSample> {
    const { pool, gsva } = this.options;
    const { clip } = gsva.config;
    const { scene, image } = pool.get(index);
    const labels = patchLabels(scene, clip.imageSize / clip.patchSize);
    return Promise.resolve({ index, input: clipTransform(image, clip.imageSize).data, labels });
  }

  forwardBackward(batch: readonly ClipSample[]): Promise<Gradients> {
    return stepWithLosses(QUESTIONS, (losses) => this.backpropagate(batch, losses));
  }

  private backpropagate(
    batch: readonly ClipSample[],
    losses: LossParts<PatchQuestion>,
  ): ReadonlyMap<string, tf.Tensor> {
    const gradients = new GradientMap();
    tf.tidy(() => {
      const images = this.stack(batch);
      const objective = (): tf.Tensor => {
        const answers = this.answers(images);
        const parts = QUESTIONS.map((question, i) => {
          const logits = answers[i] as tf.Tensor2D;
          return losses.add(question, fused.softmaxCrossEntropy(logits, labelsOf(batch, question)));
        });
        return tf.addN(parts);
      };
      differentiate(objective, [], this.variables, gradients);
      return [...gradients.tensors.values()];
    });
    return gradients.tensors;
  }

  /** Share of right answers per question on unseen scenes. */
  async validate(): Promise<Readonly<Record<string, number>>> {
    const { scenes, validationScenes } = this.options;
    const samples = await Promise.all(Array.from({ length: validationScenes }, (_, i) => this.prepare(scenes + i)));
    const compute = (): tf.Tensor[] => {
      return tf.tidy(() => this.answers(this.stack(samples)).map((answer) => likeliest(answer as tf.Tensor2D)));
    };
    const predicted = compute();
    const rerun = (): void => {
      tf.dispose(compute());
    };
    const read = predicted.map((answer) => readLikeliest(this.network, answer, rerun));
    const answered = await Promise.all(read).finally(() => {
      tf.dispose(predicted);
    });
    const shares = QUESTIONS.map((question, i) => {
      const found = answered[i] ?? [];
      let right = 0;
      let asked = 0;
      for (const [at, label] of samples.flatMap(({ labels }) => [...labels[question]]).entries()) {
        if (label < 0) continue;
        asked++;
        if (found[at] === label) right++;
      }
      return [question, right / Math.max(1, asked)] as const;
    });
    return Object.fromEntries(shares);
  }

  /** Per question the cosines of the vision tokens with its words over the temperature, [B·N, words]. */
  private answers(images: tf.Tensor4D): tf.Tensor[] {
    const { gsva } = this.options;
    const seen = gsva.projector.forward(gsva.encoders.clip.forward(images));
    const tokens = unitRows(tf.reshape(seen, [-1, gsva.config.llm.hiddenSize]));
    return QUESTIONS.map((question) => {
      const words = gsva.llama.embedTokens.forward(tf.tensor1d([...(this.words[question] ?? [])], 'int32'));
      return tf.div(tf.matMul(tokens, unitRows(words), false, true), TEMPERATURE);
    });
  }

  private stack(samples: readonly ClipSample[]): tf.Tensor4D {
    const inputs = samples.map((sample) => sample.input);
    return stackImages(inputs, this.options.gsva.config.clip.imageSize);
  }
}

function unitRows(x: tf.Tensor): tf.Tensor {
  return tf.div(x, tf.norm(x, 'euclidean', -1, true));
}

function labelsOf(batch: readonly ClipSample[], question: PatchQuestion): tf.Tensor1D {
  return tf.tensor1d(
    batch.flatMap(({ labels }) => [...labels[question]]),
    'int32',
  );
}

/** The piece that stands for a word inside a sentence; of a digit, the digit itself. */
function lastToken(tokenizer: Tokenizer, word: string): number {
  const id = tokenizer.encode(word, { addBos: false }).at(-1);
  if (id === undefined) throw new Error(`BaseClipTask: "${word}" has no token`);
  return id;
}
