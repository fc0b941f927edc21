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
import { rowsAbout, rowsAboutInputs } from '../features/image-rows.js';
import type { MultimodalRows } from '../networks/multimodal-rows.js';
import { variablesOf } from '../checkpoints/parts.js';
import type { FeatureTensors, GroundingModel, Place, System, TrainingStep, Vocabulary } from '../systems/system.js';
import { AdamW } from '../training/optimizer/optimizer.js';
import type { Workload } from './bench-config.js';
import { RandomWorkload } from './random-workload.js';
import { readLast } from './timing.js';
import type { NamedVariables } from '../nn/backprop.js';

const FLOAT_BYTES = 4;

export class ModelWork {
  protected readonly load: RandomWorkload;
  protected readonly vocabulary: Vocabulary;
  private readonly variables: NamedVariables;
  private readonly step: TrainingStep;
  private optimizer: AdamW | null = null;
  private encoded: readonly EncodedImage[] = [];
  private question: EncodedImage | null = null;

  /** @param network built; belongs to this object @param trains names of its parts that train */
  constructor(
    readonly system: System,
    readonly network: GroundingModel,
    protected readonly workload: Workload,
    trains: readonly string[] = network.trains,
  ) {
    this.vocabulary = system.vocabulary(network.config, {});
    this.load = new RandomWorkload(system, network.config, workload, this.vocabulary);
    this.variables = variablesOf(network, trains);
    this.step = system.recipe.step(network, this.variables);
  }

  /** Whether the encoders are frozen, so that training keeps their features. */
  get keepsFeatures(): boolean {
    return this.system.recipe.trainsEncoders !== true;
  }

  /** Bytes of the frozen encoders' features of one image; 0 where encoders train. */
  get featureBytes(): number {
    if (!this.keepsFeatures) return 0;
    return FLOAT_BYTES * Object.values(featureSizes(this.network)).reduce((sum, size) => sum + size, 0);
  }

  /** Forward and backward on the batch; with the frozen encoders, or their features kept. */
  async forwardBackward(withEncoders: boolean): Promise<void> {
    const gradients = await this.gradients(await this.encode(withEncoders), true);
    tf.dispose([...gradients.values()]);
  }

  /** Features of the batch, kept from one step to the next unless the encoders are to run; none where they train. */
  private async encode(withEncoders: boolean): Promise<readonly EncodedImage[]> {
    const { network, load } = this;
    if (!this.keepsFeatures) return [];
    if (withEncoders || this.encoded.length === 0) this.encoded = await encodeImages(network, load.prepared);
    return this.encoded;
  }

  private async gradients(images: readonly EncodedImage[], recompute: boolean) {
    const { targets } = this.load;
    const { rows, features } = this.batchOf(images);
    try {
      return (await this.step({ rows, features, places: this.places(rows), targets }, { recompute })).gradients;
    } finally {
      tf.dispose(features);
    }
  }

  /** Rows of the training batch, and features of encoded images or, of encoders that train, their inputs. */
  private batchOf(images: readonly EncodedImage[]): {
    readonly rows: MultimodalRows;
    readonly features: FeatureTensors;
  } {
    const { network, load } = this;
    const { tokens, prepared, pictureOf } = load;
    if (!this.keepsFeatures) {
      return {
        rows: rowsAboutInputs(network, tokens, prepared, pictureOf),
        features: stackPrepared(network, prepared),
      };
    }
    const ofRows = pictureOf.map((picture) => images[picture] as EncodedImage);
    return { rows: rowsAbout(network, tokens, ofRows), features: stackFeatures(network, ofRows) };
  }

  protected places(rows: MultimodalRows): Place[] {
    const { found, absent } = this.vocabulary;
    return rows.statesBefore([...found, ...absent]).map(({ row, position }) => ({ row, states: [position] }));
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

  /** The reference's protocol on one prepared image, all of its passes, to binary masks at the image's size. */
  async evaluatedImage(): Promise<void> {
    const image = await this.encodedImage();
    const items = this.load.evaluated.map((conversation) => ({ image, conversation }));
    const answers = await teacherForce(this.network, this.vocabulary, items);
    for (const { masks } of answers) for (const mask of masks) binaryMask(mask);
  }

  /** Reads the question and writes a number of tokens one after the other, whatever they are. */
  async generate(): Promise<void> {
    this.question ??= await this.encodedImage();
    await this.written(this.question);
  }

  /** The first image with the features of its encoders. */
  protected async encodedImage(): Promise<EncodedImage> {
    const [image] = await encodeImages(this.network, this.load.prepared.slice(0, 1));
    if (image === undefined) throw new Error('ModelWork: the image was not encoded');
    return image;
  }

  /** @returns the state before the last token that is written [D] */
  protected async written(image: EncodedImage): Promise<Float32Array> {
    const session = new DecodingSession(this.network, image);
    try {
      let step = await session.feed(this.load.promptIds);
      for (let i = 1; i < this.workload.newTokens; i++) {
        const { logits } = step;
        step = await session.feed([logits.indexOf(logits.reduce((most, value) => Math.max(most, value)))]);
      }
      return step.state;
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
