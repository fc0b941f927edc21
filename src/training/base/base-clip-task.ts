/**
 * The base's vision: vision tokens are matched with words, as CLIP matches images with texts. Each of them (a patch of
 * F_V1, projected by φ; a block of InternViT's, by mlp1) must be nearest by cosine to the LLM's embeddings of the colour,
 * shape and place of its object; cosine, since the LLM's layers begin with a norm.
 */
import { prepareImage } from '../../data/image/prepare-image.js';
import type { EncoderInput } from '../../data/image/prepare-image.js';
import type { Tokenizer } from '../../data/text/tokenizer.js';
import * as fused from '../../engine/fused-ops.js';
import * as tf from '../../engine/tf.js';
import { type Gradients, stepWithLosses } from '../../nn/loss-parts.js';
import { IGNORE_LABEL } from '../../special-tokens.js';
import { centreShare } from '../../synthetic/expressions.js';
import type { Scene } from '../../synthetic/scene.js';
import { COLOURS, SHAPES } from '../../synthetic/shapes.js';
import { BaseTask, type BaseTaskOptions, Mean, stackInputs } from './base-task.js';
import type { GroundingModel } from '../../systems/system.js';
import { gradientsOnTape } from './joint-step.js';
import { likeliest, readLikeliest, repeated } from './mask-ious.js';

/** Questions about a patch, and the words that answer them. The first colour's word stands for the background. */
const PATCH_WORDS = {
  colour: ['image', ...COLOURS],
  shape: SHAPES,
  column: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'],
  row: ['1', '2', '3', '4', '5', '6', '7', '8'],
} as const;
type PatchQuestion = keyof typeof PATCH_WORDS;

type PatchLabels = Readonly<Record<PatchQuestion, Int32Array>>;

/** Samples per patch side. */
const SAMPLES = 6;
/** An object names a patch that it covers at least this share of. */
const COVERED = 0.3;

/** A network whose language model sees pictures as tokens among the embeddings of its words. */
export interface SeeingModel extends GroundingModel {
  /** Inputs of its encoder [B, S, S, 3] → vision tokens [B, …, D], row by row. */
  visionTokens(images: tf.Tensor4D): tf.Tensor;
  /** Embeddings [n, D] of ids [n]. */
  wordEmbeddings(ids: tf.Tensor1D): tf.Tensor2D;
}

export interface BaseClipTaskOptions extends BaseTaskOptions<SeeingModel> {
  readonly tokenizer: Tokenizer;
  /** Name and input of the encoder that the language model sees with. */
  readonly encoder: { readonly name: string; readonly input: EncoderInput };
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

  prepare(index: number): ClipSample {
    const { pool, gsva, encoder } = this.options;
    const { name, input } = encoder;
    const { scene, image } = pool.get(index);
    const labels = patchLabels(scene, Math.sqrt(gsva.patches), input.transform === 'squash');
    const prepared = prepareImage(image, { [name]: input });
    return { index, input: prepared.inputs[name] as Float32Array, labels };
  }

  forwardBackward(batch: readonly ClipSample[]): Promise<Gradients> {
    return stepWithLosses(QUESTIONS, (losses) => {
      const objective = (): tf.Tensor => {
        const answers = this.answers(this.stack(batch));
        const parts = QUESTIONS.map((question, i) => {
          const labels = tf.tensor1d(labelsOf(batch, question), 'int32');
          return losses.add(question, fused.softmaxCrossEntropy(answers[i] as tf.Tensor2D, labels));
        });
        return tf.addN(parts);
      };
      return gradientsOnTape(objective, this.variables);
    });
  }

  /** Share of right answers per question on unseen scenes. */
  async validate(): Promise<Readonly<Record<string, number>>> {
    const { scenes, validationScenes } = this.options;
    const samples = Array.from({ length: validationScenes }, (_, i) => this.prepare(scenes + i));
    const compute = (): tf.Tensor[] => {
      return tf.tidy(() => this.answers(this.stack(samples)).map((answer) => likeliest(answer as tf.Tensor2D)));
    };
    const predicted = compute();
    const read = predicted.map((answer) => readLikeliest(this.network, answer, repeated(compute)));
    const answered = await Promise.all(read).finally(() => {
      tf.dispose(predicted);
    });
    const shares = QUESTIONS.map((question, i) => {
      const isRight = labelsOf(samples, question).flatMap((label, at) =>
        label < 0 ? [] : [answered[i]?.[at] === label],
      );
      const share = new Mean();
      share.addAll(isRight);
      return [question, share.value] as const;
    });
    return Object.fromEntries(shares);
  }

  /** Per question the cosines of the vision tokens with its words over the temperature, [B·N, words]. */
  private answers(images: tf.Tensor4D): tf.Tensor[] {
    const { gsva } = this.options;
    const seen = gsva.visionTokens(images);
    const tokens = unitRows(tf.reshape(seen, [-1, seen.shape.at(-1) as number]));
    return QUESTIONS.map((question) => {
      const words = gsva.wordEmbeddings(tf.tensor1d([...(this.words[question] ?? [])], 'int32'));
      return tf.div(tf.matMul(tokens, unitRows(words), false, true), TEMPERATURE);
    });
  }

  private stack(samples: readonly ClipSample[]): tf.Tensor4D {
    return stackInputs(samples, this.options.encoder.input.side);
  }
}

function unitRows(x: tf.Tensor): tf.Tensor {
  return tf.div(x, tf.norm(x, 'euclidean', -1, true));
}

function labelsOf(batch: readonly ClipSample[], question: PatchQuestion): number[] {
  return batch.flatMap(({ labels }) => [...labels[question]]);
}

/** The piece that stands for a word inside a sentence; of a digit, the digit itself. */
function lastToken(tokenizer: Tokenizer, word: string): number {
  const id = tokenizer.encode(`in ${word}`, { addBos: false }).at(-1);
  if (id === undefined) throw new Error(`BaseClipTask: "${word}" has no token`);
  return id;
}

/**
 * Labels of every vision token: colour, shape and 8×8 grid cell of the object that covers most of its patch.
 * @param side tokens along a side @param whole they show the whole picture, squashed; else the central square @returns labels [side²] per question; on background only the colour is asked
 */
export function patchLabels(scene: Scene, side: number, whole = false): PatchLabels {
  const labels = {
    colour: new Int32Array(side * side),
    shape: new Int32Array(side * side).fill(IGNORE_LABEL),
    column: new Int32Array(side * side).fill(IGNORE_LABEL),
    row: new Int32Array(side * side).fill(IGNORE_LABEL),
  };
  for (let patch = 0; patch < side * side; patch++) {
    const index = objectIn(scene, patch % side, Math.floor(patch / side), side, whole);
    const object = scene.objects[index];
    if (object === undefined) continue;
    const [x, y] = centreShare(scene, index);
    labels.colour[patch] = 1 + COLOURS.indexOf(object.colour);
    labels.shape[patch] = SHAPES.indexOf(object.shape);
    labels.column[patch] = Math.min(7, Math.floor(8 * x));
    labels.row[patch] = Math.min(7, Math.floor(8 * y));
  }
  return labels;
}

/** The object that covers most of a patch, or -1. */
function objectIn(scene: Scene, column: number, row: number, side: number, whole: boolean): number {
  const square = Math.min(scene.width, scene.height); // CLIP sees the central one
  const [width, height] = whole ? [scene.width, scene.height] : [square, square];
  const left = (scene.width - width) / 2;
  const top = (scene.height - height) / 2;
  const counts = new Int32Array(scene.objects.length + 1);
  for (let i = 0; i < SAMPLES * SAMPLES; i++) {
    const x = left + (width * (column + ((i % SAMPLES) + 0.5) / SAMPLES)) / side;
    const y = top + (height * (row + (Math.floor(i / SAMPLES) + 0.5) / SAMPLES)) / side;
    const id = scene.instances[Math.floor(y) * scene.width + Math.floor(x)] ?? 0;
    counts[id] = (counts[id] ?? 0) + 1;
  }
  let best = 0;
  for (let id = 1; id < counts.length; id++) {
    if (best === 0 || (counts[id] ?? 0) > (counts[best] ?? 0)) best = id;
  }
  return (counts[best] ?? 0) >= COVERED * SAMPLES * SAMPLES ? best - 1 : -1;
}
