/** The recording of a whole model (gsva-tiny), read strictly: weights, inputs, and what the reference made of them. */
import { join } from 'node:path';
import { withWeights } from '../checkpoints/checkpoint-directory.js';
import { nameInModel } from '../checkpoints/weights.js';
import type { TokenizedConversation } from '../data/text/conversation.js';
import * as tf from '../engine/tf.js';
import { UserError } from '../errors.js';
import { readJson } from '../io/json/json-file.js';
import { JsonReader } from '../io/json/json-reader.js';
import { openSafetensors, readSafetensors, type StoredTensor } from '../io/safetensors/safetensors.js';
import { toFloat32 } from '../io/file-tensor.js';
import { MultimodalRows, type TokenBatch } from '../networks/multimodal-rows.js';
import { system as gsva } from '../systems/gsva/system.js';
import { LlavaSam } from '../systems/shared/llava-sam.js';
import { configOf, type ModelConfig } from '../systems/shared/model-config.js';
import type { Geometry, MaskTargets, System, Vocabulary } from '../systems/system.js';
import type { BinaryMask, PreparedImage } from '../types.js';
import type { ModelSubject } from './model-subject.js';
import type { VerifyItem } from './verify-item.js';

/** Comparison of a part of a model with its recording. @param given what the encoders make of its pictures */
export type Comparison<Case, Given> = (network: LlavaSam, recorded: Case, given: Given) => Promise<VerifyItem[]>;

/** Tensors of one file by name, in PyTorch's layout; every one that is missing is an error that names it. */
export class Recording {
  private readonly read = new Set<string>();
  private readonly tensors: ReadonlyMap<string, StoredTensor>;

  constructor(readonly path: string) {
    this.tensors = readSafetensors(path).tensors;
  }

  get names(): readonly string[] {
    return [...this.tensors.keys()];
  }

  /** Names that nobody has asked for. */
  get unread(): readonly string[] {
    return this.names.filter((name) => !this.read.has(name));
  }

  get(name: string): { readonly shape: readonly number[]; readonly data: Float32Array } {
    const tensor = this.tensors.get(name);
    if (tensor === undefined)
      throw new UserError(`Verifying with ${this.path}: it has no tensor "${name}". Copy the recording again.`);
    this.read.add(name);
    return { shape: tensor.shape, data: toFloat32(tensor, name) };
  }
}

/** Conversations of one recorded micro-batch. */
export interface RecordedBatch {
  readonly rows: MultimodalRows;
  /** Image of each row. */
  readonly pictures: readonly number[];
  readonly targets: readonly MaskTargets[];
}

/** Parts that the recordings of all systems have. */
export abstract class RecordedCase {
  readonly config: ModelConfig;
  readonly vocabulary: Vocabulary;
  /** case.safetensors */
  readonly tensors: Recording;
  /** case.json */
  readonly json: JsonReader;
  /** Sizes of the images before padding, and of their files. */
  readonly sizes: readonly Geometry[];

  /** @param otherKeys of config.json that are no sizes @throws UserError naming file and key or tensor at fault */
  constructor(
    readonly dir: string,
    readonly system: System<ModelConfig>,
    otherKeys: readonly string[] = [],
  ) {
    const configPath = join(dir, 'config.json');
    const written = JsonReader.of(readJson(configPath, "the recorded model's sizes"), configPath).object();
    const model = Object.fromEntries(Object.entries(written).filter(([key]) => !otherKeys.includes(key)));
    const weightsPath = join(dir, 'model.safetensors');
    const { tensors } = openSafetensors(weightsPath);
    this.config = configOf({ json: { ...model, system: system.name }, configPath, tensors, weightsPath });
    this.vocabulary = system.vocabulary(this.config, {});
    this.tensors = new Recording(join(dir, 'case.safetensors'));
    const jsonPath = join(dir, 'case.json');
    this.json = JsonReader.of(readJson(jsonPath, 'the recorded figures'), jsonPath);
    const originals = this.json.key('original_sizes').array();
    const resized = this.json.key('sizes').array();
    if (originals.length !== resized.length) this.json.key('original_sizes').fail(`a list of ${resized.length}`);
    this.sizes = resized.map((size, i) => ({ resized: pair(size), original: pair(originals[i] as JsonReader) }));
  }

  /** The recorded micro-batches. @param patches vision tokens of an image */
  abstract batches(patches: number): RecordedBatch[];

  /** Positions in `batches` of the micro-batches of an update. */
  abstract get microBatches(): number[];

  /** The recorded model's sizes and weights. */
  model(): ModelSubject {
    const weightsPath = join(this.dir, 'model.safetensors');
    return { config: this.config, tensors: openSafetensors(weightsPath).tensors, weightsPath };
  }

  /** The model, with the recorded weights unless others are given; the caller disposes it. */
  buildModel({ config, tensors, weightsPath = this.dir } = this.model()): LlavaSam {
    return withWeights(new LlavaSam(config), tensors, weightsPath);
  }

  /** Names of parameters, as the model has them, under a key of case.json. */
  names(key: string): ReadonlySet<string> {
    const names = this.json.key(key).array();
    return new Set(names.map((name) => nameInModel(name.string())));
  }

  /** An image input [B, 3, S, S] as ours, [B, S, S, 3]; owned by the caller. */
  imageTensor(name: 'images' | 'images_clip'): tf.Tensor4D {
    const { shape, data } = this.tensors.get(name);
    return tf.tidy(() => tf.transpose(tf.tensor4d(data, shape as [number, number, number, number]), [0, 2, 3, 1]));
  }

  /** The images as the encoders take them. */
  async preparedImages(): Promise<PreparedImage[]> {
    const rowsOf = async (name: 'images' | 'images_clip'): Promise<Float32Array[]> => {
      const tensor = this.imageTensor(name);
      const data = Float32Array.from(await tensor.data<'float32'>());
      tensor.dispose();
      const size = data.length / this.sizes.length;
      return this.sizes.map((_, row) => data.subarray(row * size, (row + 1) * size));
    };
    const [clip, sam] = [await rowsOf('images_clip'), await rowsOf('images')];
    return this.sizes.map((size, row) => {
      return { ...size, inputs: { clip: clip[row] as Float32Array, sam: sam[row] as Float32Array } };
    });
  }

  /** Rows of token ids, padded on the right. */
  tokenBatch(prefix: string, hasLabels = true): TokenBatch {
    const ids = this.tensors.get(`${prefix}input_ids`);
    const [batch = 0, time = 0] = ids.shape;
    const mask = this.tensors.get(`${prefix}attention_mask`).data;
    const lengths = Array.from({ length: batch }, (_, row) => {
      return mask.subarray(row * time, (row + 1) * time).reduce((sum, value) => sum + value, 0);
    });
    const labels = hasLabels ? Int32Array.from(this.tensors.get(`${prefix}labels`).data) : null;
    return { inputIds: Int32Array.from(ids.data), labels, lengths, batch, time };
  }

  /** Target masks of an image. @param count of masks that must be there; by default any */
  protected targetMasks(image: number, count?: number): BinaryMask[] {
    const { shape, data } = this.tensors.get(`gt_masks.${image}`);
    const [height, width] = (this.sizes[image] as Geometry).original;
    const expected = [count ?? shape[0] ?? 0, height, width];
    if (!tf.util.arraysEqual([...shape], expected)) {
      throw new UserError(
        `Verifying with ${this.tensors.path}: "gt_masks.${image}" has shape [${shape.join(', ')}], ` +
          `expected [${expected.join(', ')}]. Copy the recording again.`,
      );
    }
    const pixels = height * width;
    return Array.from({ length: shape[0] ?? 0 }, (_, i) => {
      return { data: Uint8Array.from(data.subarray(i * pixels, (i + 1) * pixels)), height, width };
    });
  }
}

/** GSVA's recording: one batch, with a conversation about each image. */
export class ModelCase extends RecordedCase {
  /** The conversations as the reference was given them. */
  readonly tokens = this.tokenBatch('');

  constructor(dir: string) {
    super(dir, gsva);
  }

  /** Conversation `row` without its padding. */
  conversation(row: number): TokenizedConversation {
    const { inputIds, labels, time, lengths } = this.tokens;
    const [begin, end] = [row * time, row * time + (lengths[row] ?? 0)];
    return { inputIds: [...inputIds.subarray(begin, end)], labels: [...(labels as Int32Array).subarray(begin, end)] };
  }

  override batches(patches: number): RecordedBatch[] {
    const { found, absent } = this.vocabulary;
    const targets = this.sizes.map((size, row) => {
      const answers = this.conversation(row).labels.filter((id) => found.includes(id) || absent.includes(id));
      const masks = this.targetMasks(row, answers.length).filter((_, i) => found.includes(answers[i] as number));
      return { ...size, masks, rejected: answers.length - masks.length };
    });
    return [{ rows: new MultimodalRows(this.tokens, patches), pictures: [...this.sizes.keys()], targets }];
  }

  override get microBatches(): number[] {
    const count = this.json.key('optimizer').key('grad_accumulation').integer({ min: 1 });
    return Array.from({ length: count }, () => 0);
  }
}

export function pair(place: JsonReader): [number, number] {
  const [first, second, ...others] = place.numbers();
  if (first === undefined || second === undefined || others.length > 0) return place.fail('two numbers');
  return [first, second];
}
