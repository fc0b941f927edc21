/** Work of a system on a model of any sizes: a training step, an evaluated image, generation. */
import * as tf from '../engine/tf.js';
import { DecodingSession } from '../inference/decoding-session.js';
import { binaryMask } from '../inference/segment-result.js';
import { teacherForce } from '../inference/teacher-forcing.js';
import {
  type EncodedImage,
  encodeImages,
  featureSizes,
  stackFeatures,
  stackPrepared,
} from '../features/image-features.js';
import { variablesOf } from '../checkpoints/parts.js';
import type { FeatureTensors, GroundingModel, System, TrainingStep, Vocabulary } from '../systems/system.js';
import { AdamW } from '../training/optimizer/optimizer.js';
import type { Workload } from './bench-config.js';
import { RandomWorkload } from './random-workload.js';
import { readLast } from './timing.js';
import type { NamedVariables } from '../nn/backprop.js';

const FLOAT_BYTES = 4;

export class ModelWork<N extends GroundingModel = GroundingModel> {
  protected readonly load: RandomWorkload;
  private readonly vocabulary: Vocabulary;
  private readonly variables: NamedVariables;
  private readonly step: TrainingStep;
  private optimizer: AdamW | null = null;
  private encoded: readonly EncodedImage[] = [];
  private question: EncodedImage | null = null;

  /** @param network built; belongs to this object @param trains names of its parts that train */
  constructor(
    readonly system: System,
    readonly network: N,
    protected readonly workload: Workload,
    trains: readonly string[] = network.trains,
  ) {
    this.vocabulary = system.vocabulary(network.config, {});
    this.load = new RandomWorkload(workload, this.vocabulary, system.pictures(network.config));
    this.variables = variablesOf(network, trains);
    this.step = system.recipe.step(network, this.variables);
  }

  /** Bytes of the frozen encoders' features of one image; 0 where encoders train. */
  get featureBytes(): number {
    if (this.system.recipe.trainsEncoders === true) return 0;
    return FLOAT_BYTES * Object.values(featureSizes(this.network)).reduce((sum, size) => sum + size, 0);
  }

  /** Forward and backward on the batch; with the frozen encoders, or their features kept. */
  async forwardBackward(withEncoders: boolean): Promise<void> {
    const gradients = await this.gradients(await this.encode(withEncoders), true);
    tf.dispose([...gradients.values()]);
  }

  /** Features of the batch, kept from one step to the next unless the encoders are to run; none where they train. */
  private async encode(withEncoders: boolean): Promise<readonly EncodedImage[]> {
    const { system, network, load } = this;
    if (system.recipe.trainsEncoders === true) return [];
    if (withEncoders || this.encoded.length === 0) this.encoded = await encodeImages(network, load.prepared);
    return this.encoded;
  }

  private async gradients(images: readonly EncodedImage[], recompute: boolean) {
    const { network, load, system } = this;
    const trainsEncoders = system.recipe.trainsEncoders === true;
    const features: FeatureTensors = trainsEncoders
      ? stackPrepared(network, load.prepared)
      : stackFeatures(network, images);
    try {
      return (await this.step({ ...load.batch(network), features }, { recompute })).gradients;
    } finally {
      tf.dispose(features);
    }
  }

  async trainingStep(withEncoders: boolean, recompute = true): Promise<void> {
    await this.stepOn(await this.encode(withEncoders), recompute);
  }

  /** Forward and backward on images whose features are given, clipping to norm 1 and AdamW. */
  async stepOn(images: readonly EncodedImage[], recompute: boolean): Promise<void> {
    const gradients = await this.gradients(images, recompute);
    this.optimizer ??= new AdamW(this.variables, { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clipNorm: 1 });
    try {
      this.optimizer.apply(gradients, 1e-4, await this.optimizer.globalNorm(gradients));
    } finally {
      tf.dispose([...gradients.values()]);
    }
    await readLast(this.variables);
  }

  /** The reference's protocol on one prepared image, both passes, to binary masks at the image's size. */
  async evaluatedImage(): Promise<void> {
    const { network, load } = this;
    const [image] = await encodeImages(network, load.prepared.slice(0, 1));
    if (image === undefined) throw new Error('ModelWork: the image was not encoded');
    const [answer] = await teacherForce(network, this.vocabulary, [{ image, conversation: load.evaluated }]);
    answer?.masks.map((mask) => binaryMask(mask));
  }

  /** Reads the question and writes a number of tokens one after the other, whatever they are. */
  async generate(): Promise<void> {
    const { network, load } = this;
    this.question ??= (await encodeImages(network, load.prepared.slice(0, 1)))[0] as EncodedImage;
    const session = new DecodingSession(network, this.question);
    try {
      let unread = load.promptIds;
      for (let i = 0; i < this.workload.newTokens; i++) {
        const { logits } = await session.feed(unread);
        unread = [logits.indexOf(logits.reduce((most, value) => Math.max(most, value)))];
      }
    } finally {
      session.dispose();
    }
  }

  /** Frees the model. */
  dispose(): void {
    this.optimizer?.dispose();
    this.network.dispose();
  }
}
