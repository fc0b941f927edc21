/** Parts that `gsva bench` measures: a training step, an evaluated image, and the parts of the model on their own. */
import * as tf from '../engine/tf.js';
import { DecodingSession } from '../inference/decoding-session.js';
import { binaryMask } from '../inference/segment-result.js';
import { teacherForce } from '../inference/teacher-forcing.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import { type EncodedImage, encodeImages, stackFeatures } from '../features/image-features.js';
import { variablesOf } from '../checkpoints/parts.js';
import type { Encoder } from '../networks/encoder.js';
import type { System, TrainingStep, Vocabulary } from '../systems/system.js';
import { AdamW } from '../training/optimizer/optimizer.js';
import type { BenchConfig } from './bench-config.js';
import { PARTS, type PartName } from './part-names.js';
import { RandomWorkload } from './random-workload.js';
import { readLast, readResult, type Work } from './timing.js';
import type { NamedVariables } from '../nn/backprop.js';

/** A model, and work for it. */
export class BenchParts {
  private readonly vocabulary: Vocabulary;
  private readonly load: RandomWorkload;
  private readonly variables: NamedVariables;
  private readonly step: TrainingStep;
  private optimizer: AdamW | null = null;
  private encoded: readonly EncodedImage[] = [];
  private question: EncodedImage | null = null;

  /** @param gsva of the config's sizes, built; belongs to this object */
  constructor(
    private readonly config: BenchConfig,
    readonly system: System,
    readonly gsva: LlavaSam,
  ) {
    const { model, workload } = config;
    this.vocabulary = system.vocabulary(model, {});
    this.load = new RandomWorkload(model, workload, this.vocabulary, system.pictures(model));
    this.variables = variablesOf(gsva, system.recipe.trains);
    this.step = system.recipe.step(gsva, this.variables);
  }

  work(name: PartName): Work {
    const works: Readonly<Record<PartName, Work>> = {
      [PARTS.trainingStep]: () => this.trainingStep(true),
      [PARTS.trainingStepKept]: () => this.trainingStep(false),
      [PARTS.trainingStepOnTape]: () => this.trainingStep(false, false),
      [PARTS.evaluatedImage]: () => this.evaluatedImage(),
      [PARTS.samEncoder]: () => this.encoder('sam'),
      [PARTS.clipTower]: () => this.encoder('clip'),
      [PARTS.llm]: () => this.llmForward(),
      [PARTS.maskDecoder]: () => this.maskDecoder(),
      [PARTS.generate]: () => this.generate(),
    };
    return works[name];
  }

  /** Bytes of both encoders' features of one image. */
  get featureBytes(): number {
    const { clip, sam } = this.config.model;
    return 4 * (this.gsva.patches * clip.hiddenSize + (sam.imageSize / sam.patchSize) ** 2 * sam.promptEmbedDim);
  }

  /** Forward and backward on the batch; with the frozen encoders, or their features kept. */
  async forwardBackward(withEncoders: boolean): Promise<void> {
    const gradients = await this.gradients(await this.encode(withEncoders), true);
    tf.dispose([...gradients.values()]);
  }

  /** Features of the batch, kept from one step to the next unless the encoders are to run. */
  private async encode(withEncoders: boolean): Promise<readonly EncodedImage[]> {
    if (withEncoders || this.encoded.length === 0) this.encoded = await encodeImages(this.gsva, this.load.prepared);
    return this.encoded;
  }

  private async gradients(images: readonly EncodedImage[], recompute: boolean) {
    const { gsva, load } = this;
    const features = stackFeatures(gsva, images);
    try {
      return (await this.step({ ...load.batch(gsva.patches), features }, { recompute })).gradients;
    } finally {
      tf.dispose(features);
    }
  }

  private async trainingStep(withEncoders: boolean, recompute = true): Promise<void> {
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
  private async evaluatedImage(): Promise<void> {
    const { gsva, load } = this;
    const [image] = await encodeImages(gsva, load.prepared.slice(0, 1));
    if (image === undefined) throw new Error('BenchParts: the image was not encoded');
    const [answer] = await teacherForce(gsva, this.vocabulary, [{ image, conversation: load.evaluated }]);
    answer?.masks.map((mask) => binaryMask(mask));
  }

  private encoder(name: 'clip' | 'sam'): Promise<void> {
    const encoder: Encoder = this.gsva.encoders[name];
    const input = this.load.prepared[0]?.inputs[name] as Float32Array;
    return readResult(() => encoder.forward(tf.tensor(input, [1, ...encoder.imageShape])));
  }

  /** The whole batch from features and text to hidden states. */
  private llmForward(): Promise<void> {
    const { gsva, load, config } = this;
    return readResult(() => {
      const clip = tf.fill([load.tokens.batch, gsva.patches, config.model.clip.hiddenSize], 0.1);
      return gsva.read(load.batch(gsva.patches).rows, { clip }).hidden;
    });
  }

  /** The masks of one answer at low resolution, from hidden states. */
  private maskDecoder(): Promise<void> {
    const { masks } = this.config.workload;
    const { sam, llm } = this.config.model;
    const grid = sam.imageSize / sam.patchSize;
    return readResult(() => {
      const features = { sam: tf.fill([1, grid, grid, sam.promptEmbedDim], 0.1) };
      const hidden: tf.Tensor3D = tf.fill([1, masks, llm.hiddenSize], 0.1);
      const places = Array.from({ length: masks }, (_, state) => ({ row: 0, states: [state] }));
      return this.gsva.ground({ hidden, features }, places).masks;
    });
  }

  /** Reads the question and writes a number of tokens one after the other, whatever they are. */
  private async generate(): Promise<void> {
    const { gsva, load } = this;
    this.question ??= (await encodeImages(gsva, load.prepared.slice(0, 1)))[0] as EncodedImage;
    const session = new DecodingSession(gsva, this.question);
    try {
      let unread = load.promptIds;
      for (let i = 0; i < this.config.workload.newTokens; i++) {
        const { logits } = await session.feed(unread);
        unread = [logits.indexOf(Math.max(...logits))];
      }
    } finally {
      session.dispose();
    }
  }

  /** Frees the model. */
  dispose(): void {
    this.optimizer?.dispose();
    this.gsva.dispose();
  }
}
