/** Shared by the base's stages: samples are scenes of the embedded benchmark, in a new order every epoch. */
import { SampleOrder } from '../../data/sampling/sample-source.js';
import type * as tf from '../../engine/tf.js';
import { messageOf, UserError } from '../../errors.js';
import { stackImages } from '../../features/image-features.js';
import type { PendingFile } from '../../io/atomic/pending-file.js';
import type { Gradients } from '../../nn/loss-parts.js';
import { Random } from '../../random.js';
import { renderScene } from '../../synthetic/render.js';
import { type Scene, synthScene } from '../../synthetic/scene.js';
import type { LlavaSam } from '../../systems/shared/llava-sam.js';
import type { GroundingModel } from '../../systems/system.js';
import type { RgbImage } from '../../types.js';
import type { SampleStream, TrainingTask } from '../loop/training-task.js';
import { type Stage, trainableVariables } from '../trainable.js';

/** @param prepare makes the sample of an index in [0, sampleCount), with the generator that belongs to this draw */
export function epochSamples<Sample>(
  sampleCount: number,
  random: Random,
  prepare: (index: number, random: Random) => Sample | Promise<Sample>,
): SampleStream<Sample> {
  const order = new SampleOrder(sampleCount, random);
  return {
    at: async (position) => {
      const index = order.indexAt(position);
      try {
        return await prepare(index, order.randomAt(position));
      } catch (error) {
        if (error instanceof UserError) throw error;
        throw new Error(`Preparing training sample ${index} failed: ${messageOf(error)}`, { cause: error });
      }
    },
  };
}

/** Scenes of the benchmark's `base` split, made and rendered when first asked for and kept as small images. */
export class ScenePool {
  private readonly scenes = new Map<number, { readonly scene: Scene; readonly image: RgbImage }>();

  /** @param seed of the benchmark; its `base` split shares no image with the others */
  constructor(private readonly seed: number) {}

  get(index: number): { readonly scene: Scene; readonly image: RgbImage } {
    const known = this.scenes.get(index);
    if (known !== undefined) return known;
    const scene = synthScene(this.seed, 'base', index);
    const made = { scene, image: renderScene(scene) };
    this.scenes.set(index, made);
    return made;
  }
}

const VALIDATION_BATCH = 16;

/** @typeParam N network that the stage trains; most stages are of LLaVA and SAM */
export interface BaseTaskOptions<N extends GroundingModel = LlavaSam> {
  readonly gsva: N;
  readonly pool: ScenePool;
  readonly scenes: number;
  /** Scenes after the training ones, for validation. */
  readonly validationScenes: number;
  readonly save: () => Promise<PendingFile[]>;
  readonly load: (dir: string) => Promise<void>;
}

export abstract class BaseTask<
  Sample extends { readonly index: number },
  Options extends BaseTaskOptions<GroundingModel> = BaseTaskOptions,
> implements TrainingTask<Sample> {
  readonly network: Options['gsva'];
  readonly variables: ReadonlyMap<string, tf.Variable>;

  constructor(
    protected readonly options: Options,
    stage: Stage,
  ) {
    this.network = options.gsva;
    this.variables = trainableVariables(options.gsva, stage);
  }

  get sampleCount(): number {
    return this.options.scenes;
  }

  samples(random: Random): SampleStream<Sample> {
    return epochSamples(this.sampleCount, random, (index, draw) => this.prepare(index, draw));
  }

  nameOf({ index }: Sample): string {
    return `base scene ${index}`;
  }

  checkpointFiles(): Promise<PendingFile[]> {
    return this.options.save();
  }

  restore(dir: string): Promise<void> {
    return this.options.load(dir);
  }

  /** Indices of the validation scenes, a batch at a time. */
  protected *validationBatches(): Generator<readonly number[]> {
    const { scenes, validationScenes } = this.options;
    for (let first = 0; first < validationScenes; first += VALIDATION_BATCH) {
      const count = Math.min(VALIDATION_BATCH, validationScenes - first);
      yield Array.from({ length: count }, (_, i) => scenes + first + i);
    }
  }

  /** The same as samples, the draws of each by its index. */
  protected *validationSamples(): Generator<readonly Sample[]> {
    for (const indices of this.validationBatches()) {
      yield indices.map((index) => this.prepare(index, new Random(index)));
    }
  }

  abstract prepare(index: number, random: Random): Sample;
  abstract forwardBackward(batch: readonly Sample[]): Promise<Gradients>;
}

/** Inputs of an encoder as one tensor [B, S, S, 3]; owned by the caller. */
export function stackInputs(samples: readonly { readonly input: Float32Array }[], side: number): tf.Tensor4D {
  const inputs = samples.map(({ input }) => input);
  return stackImages(inputs, side);
}

/** Mean of figures, 0 where there are none. */
export class Mean {
  private sum = 0;
  private count = 0;

  add(value: number | boolean): void {
    this.sum += Number(value);
    this.count++;
  }

  addAll(values: readonly (number | boolean)[]): void {
    for (const value of values) this.add(value);
  }

  get value(): number {
    return this.sum / Math.max(1, this.count);
  }
}
