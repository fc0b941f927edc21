/** Parts that `gsva bench` measures: a training step, an evaluated image, and the parts of the model on their own. */
import * as tf from '../engine/tf.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import type { Encoder } from '../networks/encoder.js';
import type { System } from '../systems/system.js';
import type { BenchConfig } from './bench-config.js';
import { ModelWork } from './model-work.js';
import { PARTS, type PartName } from './part-names.js';
import { readResult, type Work } from './timing.js';

/** A model, and work for it. */
export class BenchParts extends ModelWork<LlavaSam> {
  /** @param gsva of the config's sizes, built; belongs to this object */
  constructor({ workload }: Pick<BenchConfig, 'workload'>, system: System, gsva: LlavaSam) {
    super(system, gsva, workload);
  }

  get gsva(): LlavaSam {
    return this.network;
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

  private encoder(name: 'clip' | 'sam'): Promise<void> {
    const encoder: Encoder = this.gsva.encoders[name];
    const input = this.load.prepared[0]?.inputs[name] as Float32Array;
    return readResult(() => encoder.forward(tf.tensor(input, [1, ...encoder.imageShape])));
  }

  /** The whole batch from features and text to hidden states. */
  private llmForward(): Promise<void> {
    const { gsva, load } = this;
    return readResult(() => {
      const clip = tf.fill([load.tokens.batch, gsva.patches, gsva.config.clip.hiddenSize], 0.1);
      return gsva.read(load.batch(gsva).rows, { clip }).hidden;
    });
  }

  /** The masks of one answer at low resolution, from hidden states. */
  private maskDecoder(): Promise<void> {
    const { masks } = this.workload;
    const { sam, llm } = this.gsva.config;
    const grid = sam.imageSize / sam.patchSize;
    return readResult(() => {
      const features = { sam: tf.fill([1, grid, grid, sam.promptEmbedDim], 0.1) };
      const hidden: tf.Tensor3D = tf.fill([1, masks, llm.hiddenSize], 0.1);
      const places = Array.from({ length: masks }, (_, state) => ({ row: 0, states: [state] }));
      return this.gsva.ground({ hidden, features }, places).masks;
    });
  }
}
