/**
 * The base's F_V1, first of all: what each patch shows (colour, shape, place of the object on it), asked by a linear
 * probe on the very features that φ will read. The probe is thrown away; what stays are features that say something.
 */
import { join } from 'node:path';
import { clipTransform } from '../data/image-transforms.js';
import * as fused from '../engine/fused-ops.js';
import * as tf from '../engine/tf.js';
import { readSafetensors, writeSafetensors } from '../io/safetensors.js';
import type { Gsva } from '../model/gsva.js';
import { loadWeights, storableWeights } from '../model/weights.js';
import { Linear } from '../nn/linear.js';
import { Random } from '../random.js';
import { differentiate, GradientMap } from './backprop.js';
import { PATCH_QUESTIONS, patchLabels, type PatchLabels, type PatchQuestion } from './patch-labels.js';
import type { ScenePool } from './scene-pool.js';
import { trainableVariables, variablesOf } from './trainable.js';
import type { Gradients, TrainingTask } from './training-task.js';

export interface BaseClipTaskOptions {
  readonly gsva: Gsva;
  readonly pool: ScenePool;
  readonly scenes: number;
  /** Scenes after the training ones, for validation. */
  readonly validationScenes: number;
  readonly seed: number;
  readonly save: (dir: string) => Promise<void>;
  readonly load: (dir: string) => Promise<void>;
}

export interface ClipSample {
  readonly index: number;
  readonly input: Float32Array;
  readonly labels: PatchLabels;
}

const QUESTIONS = Object.keys(PATCH_QUESTIONS) as PatchQuestion[];
const PROBE_FILE = 'probe.safetensors';
const PROBE_PREFIX = 'probe.';

export class BaseClipTask implements TrainingTask<ClipSample> {
  readonly variables: ReadonlyMap<string, tf.Variable>;
  private readonly probe: Linear;

  constructor(private readonly options: BaseClipTaskOptions) {
    const { gsva, seed } = options;
    const outputSize = QUESTIONS.reduce((sum, question) => sum + PATCH_QUESTIONS[question], 0);
    this.probe = new Linear({ inputSize: gsva.config.clip.hiddenSize, outputSize });
    this.probe.build();
    this.probe.randomize(new Random(seed));
    const probe = [...variablesOf(this.probe)].map(([name, variable]) => [PROBE_PREFIX + name, variable] as const);
    this.variables = new Map([...trainableVariables(gsva, 'base-clip'), ...probe]);
  }

  get sampleCount(): number {
    return this.options.scenes;
  }

  prepare(index: number): Promise<ClipSample> {
    const { pool, gsva } = this.options;
    const { clip } = gsva.config;
    const { scene, image } = pool.get(index);
    const labels = patchLabels(scene, clip.imageSize / clip.patchSize);
    return Promise.resolve({ index, input: clipTransform(image, clip.imageSize).data, labels });
  }

  nameOf(sample: ClipSample): string {
    return `base scene ${sample.index}`;
  }

  forwardBackward(batch: readonly ClipSample[]): Gradients {
    const gradients = new GradientMap();
    const losses: Record<string, number> = {};
    tf.tidy(() => {
      const images = this.stack(batch);
      const objective = (): tf.Tensor => {
        const answers = this.answers(images);
        const parts = QUESTIONS.map((question, i) => {
          const loss = fused.softmaxCrossEntropy(answers[i] as tf.Tensor2D, labelsOf(batch, question));
          losses[question] = loss.dataSync()[0] as number;
          return loss;
        });
        return tf.addN(parts);
      };
      differentiate(objective, [], this.variables, gradients);
      return [...gradients.tensors.values()];
    });
    const loss = Object.values(losses).reduce((sum, part) => sum + part, 0);
    return { losses: { loss, ...losses }, gradients: gradients.tensors };
  }

  /** Share of right answers per question on unseen scenes. */
  async validate(): Promise<Readonly<Record<string, number>>> {
    const { scenes, validationScenes } = this.options;
    const samples = await Promise.all(Array.from({ length: validationScenes }, (_, i) => this.prepare(scenes + i)));
    const predicted = tf.tidy(() => this.answers(this.stack(samples)).map((answer) => tf.argMax(answer, 1)));
    const shares = QUESTIONS.map((question, i) => {
      const found = (predicted[i] as tf.Tensor).dataSync();
      let right = 0;
      let asked = 0;
      for (const [at, label] of samples.flatMap(({ labels }) => [...labels[question]]).entries()) {
        if (label < 0) continue;
        asked++;
        if (found[at] === label) right++;
      }
      return [question, right / Math.max(1, asked)] as const;
    });
    tf.dispose(predicted);
    return Object.fromEntries(shares);
  }

  async checkpointFiles(dir: string): Promise<void> {
    await this.options.save(dir);
    writeSafetensors(join(dir, PROBE_FILE), storableWeights(this.probe));
  }

  async restore(dir: string): Promise<void> {
    const path = join(dir, PROBE_FILE);
    loadWeights(this.probe, readSafetensors(path).tensors, path);
    await this.options.load(dir);
  }

  /** Logits per question, [B·N, answers]. */
  private answers(images: tf.Tensor4D): tf.Tensor[] {
    const { gsva } = this.options;
    const features = tf.reshape(gsva.visionTower.forward(images), [-1, gsva.config.clip.hiddenSize]);
    return tf.split(
      this.probe.forward(features),
      QUESTIONS.map((question) => PATCH_QUESTIONS[question]),
      1,
    );
  }

  private stack(samples: readonly ClipSample[]): tf.Tensor4D {
    const side = this.options.gsva.config.clip.imageSize;
    const images = new Float32Array(samples.length * side * side * 3);
    samples.forEach((sample, row) => {
      images.set(sample.input, row * side * side * 3);
    });
    return tf.tensor4d(images, [samples.length, side, side, 3]);
  }
}

function labelsOf(batch: readonly ClipSample[], question: PatchQuestion): tf.Tensor1D {
  return tf.tensor1d(
    batch.flatMap(({ labels }) => [...labels[question]]),
    'int32',
  );
}
