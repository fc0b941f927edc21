/** Parts that `gsva bench` measures: a training step, an evaluated image, a question, and the model's parts on their own. */
import { padBatch } from '../data/text/conversation.js';
import * as tf from '../engine/tf.js';
import { rowsAboutInputs } from '../features/image-rows.js';
import { masksOfStates } from '../inference/draw-masks.js';
import { binaryMask } from '../inference/segment-result.js';
import { teacherForce } from '../inference/teacher-forcing.js';
import type { Encoder } from '../networks/encoder.js';
import type { FeatureTensors, GroundingModel, System } from '../systems/system.js';
import type { PreparedImage } from '../types.js';
import type { BenchConfig } from './bench-config.js';
import { ModelWork } from './model-work.js';
import { ENCODER_PARTS, PARTS, type PartName } from './part-names.js';
import { readResult, type Work } from './timing.js';

/** A model, and work for it. */
export class BenchParts extends ModelWork {
  /** @param network of the config's sizes, built; belongs to this object */
  constructor(
    private readonly config: Pick<BenchConfig, 'model' | 'workload'>,
    system: System,
    network: GroundingModel,
  ) {
    super(system, network, config.workload);
  }

  /** Names of the parts that this model has, in the order in which they are measured. */
  get parts(): readonly PartName[] {
    const { encoders } = this.network;
    const lacking = Object.entries(ENCODER_PARTS).flatMap(([name, part]) => (name in encoders ? [] : [part]));
    const kept = this.keepsFeatures ? [] : [PARTS.trainingStepKept, PARTS.trainingStepOnTape];
    const left: readonly PartName[] = [...lacking, ...kept];
    return Object.values(PARTS).filter((part) => !left.includes(part));
  }

  work(name: PartName): Work {
    const works: Readonly<Record<PartName, Work>> = {
      [PARTS.trainingStep]: () => this.trainingStep(true),
      [PARTS.trainingStepKept]: () => this.trainingStep(false),
      [PARTS.trainingStepOnTape]: () => this.trainingStep(false, false),
      [PARTS.evaluatedImage]: () => this.evaluatedImage(),
      [PARTS.question]: () => this.answeredQuestion(),
      [PARTS.sam]: () => this.encoderAlone('sam'),
      [PARTS.clip]: () => this.encoderAlone('clip'),
      [PARTS.vit]: () => this.encoderAlone('vit'),
      [PARTS.llm]: () => this.llmForward(),
      [PARTS.masks]: () => this.masks(),
      [PARTS.generate]: () => this.generate(),
    };
    return works[name];
  }

  /**
   * One question about one target, from the prepared image to its binary mask, as published: a mask of a whole reading
   * in one pass, the answer given; any other behind an answer that is written token by token.
   */
  private async answeredQuestion(): Promise<void> {
    const { network } = this;
    const image = await this.encodedImage();
    const [conversation] = this.load.evaluated;
    if (conversation === undefined) throw new Error('BenchParts: there is no question');
    if (network.masksFrom === 'whole reading') {
      const [answer] = await teacherForce(network, this.vocabulary, [{ image, conversation }]);
      answer?.masks.map((mask) => binaryMask(mask));
      return;
    }
    const [mask] = await masksOfStates(network, image, [await this.written(image)]);
    if (mask !== undefined) binaryMask(mask);
  }

  private encoderAlone(name: string): Promise<void> {
    const encoder = this.encoder(name);
    const input = this.load.prepared[0]?.inputs[name] as Float32Array;
    return readResult(() => encoder.forward(tf.tensor(input, [this.tilesOf(name), ...encoder.imageShape])));
  }

  private encoder(name: string): Encoder {
    const encoder = this.network.encoders[name];
    if (encoder === undefined) throw new Error(`BenchParts: ${this.system.name} has no encoder "${name}"`);
    return encoder;
  }

  /** Tiles of the first picture, of an encoder that takes tiles; else 1. */
  private tilesOf(name: string): number {
    const size = tf.util.sizeFromShape([...this.encoder(name).imageShape]);
    return (this.load.prepared[0]?.inputs[name]?.length ?? size) / size;
  }

  /** Features of pictures like the first, with the same number everywhere. @param needed for reading, or for masks too */
  private blankFeatures(pictures: number, needed: 'text' | 'masks'): FeatureTensors {
    const inputs = Object.entries(this.system.pictures(this.config.model));
    const wanted = inputs.filter(([, { neededFor }]) => needed === 'masks' || neededFor === 'text');
    const filled = wanted.map(([name]) => {
      const encoder = this.encoder(name);
      const [, ...shape] = encoder.computeOutputShape([1, ...encoder.imageShape]) as number[];
      return [name, tf.fill([pictures * this.tilesOf(name), ...shape], 0.1)] as const;
    });
    return Object.fromEntries(filled);
  }

  /** The whole batch from features and text to hidden states. */
  private llmForward(): Promise<void> {
    const { network, load } = this;
    const pictures = load.pictureOf.map((picture) => load.prepared[picture] as PreparedImage);
    const rows = rowsAboutInputs(network, load.tokens, pictures, [...pictures.keys()]);
    return readResult(() => network.read(rows, this.blankFeatures(pictures.length, 'text')).hidden);
  }

  /** The masks about one image at low resolution, from hidden states. */
  private masks(): Promise<void> {
    const { network, load } = this;
    const pictures = load.evaluated.map(() => load.prepared[0] as PreparedImage);
    const rows = rowsAboutInputs(network, padBatch(load.evaluated, this.vocabulary.pad), pictures, [
      ...pictures.keys(),
    ]);
    const places = this.places(rows);
    return readResult(() => {
      const features = this.blankFeatures(pictures.length, 'masks');
      const hidden: tf.Tensor3D = tf.fill([pictures.length, rows.time, this.config.model.llm.hiddenSize], 0.1);
      return network.ground({ hidden, features, rows }, places).masks;
    });
  }
}
