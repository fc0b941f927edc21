/** What `gsva bench` measures: a training step, an evaluated image, and the parts of the model on their own. */
import * as tf from '../engine/tf.js';
import { DecodingSession } from '../inference/decoding-session.js';
import { binaryMask } from '../inference/segment-result.js';
import { teacherForce } from '../inference/teacher-forcing.js';
import { Gsva } from '../model/gsva.js';
import { type EncodedImage, encodeImages, stackFeatures, stackImages } from '../model/image-features.js';
import { VisionTextTokens } from '../model/vision-text-tokens.js';
import { Random } from '../random.js';
import { gsvaStep } from '../training/gsva-step.js';
import { AdamW } from '../training/optimizer.js';
import { trainableVariables } from '../training/trainable.js';
import type { BenchConfig } from './bench-config.js';
import { RandomWorkload } from './random-workload.js';
import type { Work } from './timing.js';

/** Names of the parts, in the order in which they are measured. */
export const PARTS = {
  trainingStep: 'training step',
  trainingStepKept: 'training step, features kept',
  evaluatedImage: 'evaluated image',
  samEncoder: 'SAM encoder',
  clipTower: 'CLIP tower',
  llm: 'LLM forward',
  maskDecoder: 'mask decoder',
  generate: 'generate',
} as const;

export type PartName = (typeof PARTS)[keyof typeof PARTS];

/** A model with random weights, and work for it. */
export class BenchParts {
  readonly parameters: number;
  readonly trainable: number;
  private readonly gsva: Gsva;
  private readonly load: RandomWorkload;
  private optimizer: AdamW | null = null;
  private encoded: readonly EncodedImage[] = [];

  constructor(private readonly config: BenchConfig) {
    const { model, workload } = config;
    this.gsva = new Gsva(model);
    this.gsva.build();
    this.gsva.randomize(new Random(workload.seed));
    this.load = new RandomWorkload(model, workload);
    const sizes = [...this.gsva.namedParameters().values()].map(({ variable }) => variable.read().size);
    this.parameters = sizes.reduce((sum, size) => sum + size, 0);
    const trained = [...trainableVariables(this.gsva, 'gsva').values()].map((variable) => variable.size);
    this.trainable = trained.reduce((sum, size) => sum + size, 0);
  }

  work(name: PartName): Work {
    const works: Readonly<Record<PartName, Work>> = {
      [PARTS.trainingStep]: () => this.trainingStep(true),
      [PARTS.trainingStepKept]: () => this.trainingStep(false),
      [PARTS.evaluatedImage]: () => this.evaluatedImage(),
      [PARTS.samEncoder]: () => this.samEncoder(),
      [PARTS.clipTower]: () => this.clipTower(),
      [PARTS.llm]: () => this.llmForward(),
      [PARTS.maskDecoder]: () => this.maskDecoder(),
      [PARTS.generate]: () => this.generate(),
    };
    return works[name];
  }

  /** Forward, backward, clipping to norm 1 and AdamW on the batch; with the frozen encoders, or their features kept. */
  private async trainingStep(withEncoders: boolean): Promise<void> {
    const { gsva, load } = this;
    const variables = trainableVariables(gsva, 'gsva');
    this.optimizer ??= new AdamW(variables, { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clipNorm: 1 });
    if (withEncoders || this.encoded.length === 0) this.encoded = await encodeImages(gsva, load.prepared);
    const features = stackFeatures(gsva, this.encoded);
    try {
      const { gradients } = await gsvaStep(
        gsva,
        { tokens: load.tokens, targets: load.targets, ...features },
        variables,
      );
      try {
        this.optimizer.apply(gradients, 1e-4, await this.optimizer.globalNorm(gradients));
      } finally {
        tf.dispose([...gradients.values()]);
      }
    } finally {
      tf.dispose([features.clipFeatures, features.imageEmbeddings]);
    }
    await readOne([...variables.values()].at(-1));
  }

  /** The reference's protocol on one prepared image, both passes, to binary masks at the image's size. */
  private async evaluatedImage(): Promise<void> {
    const { gsva, load } = this;
    const [image] = await encodeImages(gsva, load.prepared.slice(0, 1));
    if (image === undefined) throw new Error('BenchParts: the image was not encoded');
    const [answer] = await teacherForce(gsva, [{ image, conversation: load.evaluated }]);
    answer?.masks.map(binaryMask);
  }

  private samEncoder(): Promise<void> {
    const { imageSize } = this.config.model.sam;
    return readResult(() => {
      return this.gsva.imageEncoder.forward(stackImages([this.prepared.samInput], imageSize));
    });
  }

  private clipTower(): Promise<void> {
    const { imageSize } = this.config.model.clip;
    return readResult(() => this.gsva.visionTower.forward(stackImages([this.prepared.clipInput], imageSize)));
  }

  /** The whole batch through the decoder layers and the final norm. */
  private llmForward(): Promise<void> {
    const { gsva, load, config } = this;
    return readResult(() => {
      const { lengths, time } = new VisionTextTokens(load.tokens, gsva.patches);
      const embeddings = tf.fill([load.tokens.batch, time, config.model.llm.hiddenSize], 0.1);
      return gsva.llama.forward(embeddings, gsva.llama.context(0, time, lengths))[0];
    });
  }

  /** The masks of one answer at low resolution. */
  private maskDecoder(): Promise<void> {
    const { masks } = this.config.workload;
    const { imageSize, patchSize, promptEmbedDim } = this.config.model.sam;
    const grid = imageSize / patchSize;
    return readResult(() => {
      const embedding: tf.Tensor4D = tf.fill([1, grid, grid, promptEmbedDim], 0.1);
      const queries: tf.Tensor2D = tf.fill([masks, promptEmbedDim], 0.1);
      const rows = Array.from({ length: masks }, () => 0);
      return this.gsva.decodeMasks(queries, embedding, rows).lowResMasks;
    });
  }

  /** Reads the question and writes so many tokens one after the other, whatever they are. */
  private async generate(): Promise<void> {
    const { gsva, load } = this;
    if (this.encoded.length === 0) this.encoded = await encodeImages(gsva, load.prepared);
    const session = new DecodingSession(gsva, this.encoded[0] as EncodedImage);
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

  private get prepared(): RandomWorkload['prepared'][number] {
    return this.load.prepared[0] as RandomWorkload['prepared'][number];
  }

  /** Frees the model. */
  dispose(): void {
    this.optimizer?.dispose();
    this.gsva.dispose();
  }
}

/** Computes and waits for the numbers. */
async function readResult(compute: () => tf.Tensor): Promise<void> {
  const result = tf.tidy(compute);
  try {
    await result.data();
  } finally {
    result.dispose();
  }
}

/** Waits until a tensor is computed. */
async function readOne(tensor: tf.Tensor | undefined): Promise<void> {
  if (tensor !== undefined) await readResult(() => tf.slice(tf.reshape(tensor, [-1]), 0, 1));
}
