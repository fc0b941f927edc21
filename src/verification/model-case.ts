/** The recording of a whole model (gsva-tiny), read strictly: weights, inputs, and what the reference made of them. */
import { join } from 'node:path';
import type { ModelConfig } from '../systems/shared/model-config.js';
import { configOf } from '../systems/shared/model-config.js';
import type { TokenizedConversation } from '../data/text/conversation.js';
import * as tf from '../engine/tf.js';
import { UserError } from '../errors.js';
import type { FileTensors } from '../io/file-tensor.js';
import { readJson } from '../io/json/json-file.js';
import { JsonReader } from '../io/json/json-reader.js';
import { openSafetensors, readSafetensors, type StoredTensor, toFloat32 } from '../io/safetensors/safetensors.js';
import { withWeights } from '../checkpoints/checkpoint-directory.js';
import { LlavaSam } from '../systems/shared/llava-sam.js';
import { system } from '../systems/gsva/system.js';
import type { Vocabulary } from '../systems/system.js';
import type { ImageSize } from '../types.js';
import type { TokenBatch } from '../networks/multimodal-rows.js';
import type { MaskTargets } from '../systems/system.js';
import type { PreparedImage } from '../types.js';

/** A recorded tensor in PyTorch's layout. */
export interface RecordedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The optimiser that the recorded trajectory was made with. */
export interface RecordedOptimizer {
  readonly learningRate: number;
  readonly warmup: number;
  readonly total: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  readonly clip: number;
  readonly accumulation: number;
  readonly trajectory: readonly { readonly lr: number; readonly loss: number; readonly gradNorm: number }[];
}

/** Tensors of one file by name; every one that is missing is an error that names it. */
export class Recording {
  private readonly tensors: ReadonlyMap<string, StoredTensor>;

  constructor(readonly path: string) {
    this.tensors = readSafetensors(path).tensors;
  }

  get names(): readonly string[] {
    return [...this.tensors.keys()];
  }

  get(name: string): RecordedTensor {
    const tensor = this.tensors.get(name);
    if (tensor === undefined)
      throw new UserError(`Verifying with ${this.path}: it has no tensor "${name}". Copy the recording again.`);
    return { shape: tensor.shape, data: toFloat32(tensor, name) };
  }
}

export class ModelCase {
  readonly config: ModelConfig;
  readonly vocabulary: Vocabulary;
  readonly tensors: Recording;
  /** One batch: the conversations as the reference was given them. */
  readonly tokens: TokenBatch & { readonly labels: Int32Array };
  /** Sizes of the images before padding, and of their files. */
  readonly sizes: readonly ImageSize[];
  readonly losses: Readonly<Record<'loss' | 'ce' | 'bce' | 'dice', number>>;
  /** Parameters that train and get no gradient. */
  readonly withoutGradient: readonly string[];
  readonly optimizer: RecordedOptimizer;

  /** @throws UserError naming the file and the key or tensor at fault */
  constructor(readonly dir: string) {
    const configPath = join(dir, 'config.json');
    const json = readJson(configPath, "the recorded model's sizes");
    const weightsPath = join(dir, 'model.safetensors');
    this.config = configOf({ json, configPath, tensors: openSafetensors(weightsPath).tensors, weightsPath });
    this.vocabulary = system.vocabulary(this.config, {});
    this.tensors = new Recording(join(dir, 'case.safetensors'));
    const jsonPath = join(dir, 'case.json');
    const root = JsonReader.of(readJson(jsonPath, 'the recorded figures'), jsonPath);
    const originals = root.key('original_sizes').array();
    const sizes = root.key('sizes').array();
    if (originals.length !== sizes.length) root.key('original_sizes').fail(`a list of ${sizes.length}`);
    this.sizes = sizes.map((size, i) => ({ resized: pair(size), original: pair(originals[i] as JsonReader) }));
    const losses = root.key('losses');
    this.losses = {
      loss: losses.key('loss').number(),
      ce: losses.key('ce_loss').number(),
      bce: losses.key('mask_bce_loss').number(),
      dice: losses.key('mask_dice_loss').number(),
    };
    this.withoutGradient = root
      .key('no_grad')
      .array()
      .map((name) => name.string());
    this.optimizer = readOptimizer(root.key('optimizer'));
    this.tokens = this.readTokens();
  }

  /** The recorded model's sizes and weights. */
  model(): { readonly config: ModelConfig; readonly tensors: FileTensors } {
    return { config: this.config, tensors: openSafetensors(join(this.dir, 'model.safetensors')).tensors };
  }

  /** The model with the recorded weights; the caller disposes it. */
  buildModel(): LlavaSam {
    const { config, tensors } = this.model();
    return withWeights(new LlavaSam(config), tensors, this.dir);
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
    return this.sizes.map((size, row) => ({
      ...size,
      inputs: { clip: clip[row] as Float32Array, sam: sam[row] as Float32Array },
    }));
  }

  /** Conversation `row` without its padding. */
  conversation(row: number): TokenizedConversation {
    const { inputIds, labels, time, lengths } = this.tokens;
    const [begin, end] = [row * time, row * time + (lengths[row] ?? 0)];
    return { inputIds: [...inputIds.subarray(begin, end)], labels: [...labels.subarray(begin, end)] };
  }

  /** The targets of the mask losses: masks of the [SEG]s, number of [REJ]s. */
  targets(): MaskTargets[] {
    const { found, absent } = this.vocabulary;
    return this.sizes.map((size, row) => {
      const answers = this.conversation(row).labels.filter((id) => found.includes(id) || absent.includes(id));
      const [height, width] = size.original;
      const { shape, data } = this.tensors.get(`gt_masks.${row}`);
      if (!tf.util.arraysEqual([...shape], [answers.length, height, width])) {
        throw new UserError(
          `Verifying with ${this.tensors.path}: "gt_masks.${row}" has shape [${shape.join(', ')}], ` +
            `expected [${answers.length}, ${height}, ${width}]. Copy the recording again.`,
        );
      }
      const masks = answers.flatMap((id, i) => {
        const pixels = data.subarray(i * height * width, (i + 1) * height * width);
        return found.includes(id) ? [{ data: Uint8Array.from(pixels), height, width }] : [];
      });
      return { ...size, masks, rejected: answers.length - masks.length };
    });
  }

  private readTokens(): TokenBatch & { readonly labels: Int32Array } {
    const ids = this.tensors.get('input_ids');
    const [batch = 0, time = 0] = ids.shape;
    const mask = this.tensors.get('attention_mask').data;
    const lengths = Array.from({ length: batch }, (_, row) => {
      return mask.subarray(row * time, (row + 1) * time).reduce((sum, value) => sum + value, 0);
    });
    const labels = Int32Array.from(this.tensors.get('labels').data);
    return { inputIds: Int32Array.from(ids.data), labels, lengths, batch, time };
  }
}

export function pair(place: JsonReader): [number, number] {
  const [first, second, ...others] = place.numbers();
  if (first === undefined || second === undefined || others.length > 0) return place.fail('two numbers');
  return [first, second];
}

function readOptimizer(place: JsonReader): RecordedOptimizer {
  return {
    learningRate: place.key('lr').number(),
    warmup: place.key('warmup').integer(),
    total: place.key('total').integer(),
    betas: pair(place.key('betas')),
    eps: place.key('eps').number(),
    weightDecay: place.key('weight_decay').number(),
    clip: place.key('clip').number(),
    accumulation: place.key('grad_accumulation').integer({ min: 1 }),
    trajectory: place
      .key('trajectory')
      .array()
      .map((step) => ({
        lr: step.key('lr').number(),
        loss: step.key('loss').number(),
        gradNorm: step.key('grad_norm').number(),
      })),
  };
}
