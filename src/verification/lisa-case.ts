/**
 * The recording of LISA's whole model (lisa-tiny), read strictly. A batch is made of samples, each a picture with one
 * sequence a question; `offset` holds the places where the sequences of the samples begin.
 */
import { join } from 'node:path';
import { type ModelConfig, parseModelConfig } from '../systems/shared/model-config.js';
import * as tf from '../engine/tf.js';
import { UserError } from '../errors.js';
import type { FileTensors } from '../io/file-tensor.js';
import { readJson } from '../io/json/json-file.js';
import { JsonReader } from '../io/json/json-reader.js';
import { openSafetensors } from '../io/safetensors/safetensors.js';
import { MultimodalRows, type TokenBatch } from '../networks/multimodal-rows.js';
import { system } from '../systems/lisa/system.js';
import { projectorOfWeights } from '../systems/shared/model-config.js';
import type { Geometry, MaskTargets, Vocabulary } from '../systems/system.js';
import type { PreparedImage } from '../types.js';
import { pair, Recording } from './model-case.js';

/** Keys of a recorded config.json that are no sizes. */
const OTHER_KEYS = ['conversation', 'num_image_tokens'];

export interface LisaBatch {
  readonly rows: MultimodalRows;
  /** Pictures of the samples. */
  readonly images: readonly number[];
  readonly offset: readonly number[];
  /** Pictures of the sequences. */
  readonly pictures: readonly number[];
}

export class LisaCase {
  readonly config: ModelConfig;
  readonly vocabulary: Vocabulary;
  readonly tensors: Recording;
  /** case.json */
  readonly json: JsonReader;
  /** Sizes of each picture. */
  readonly sizes: readonly Geometry[];

  /** @throws UserError naming the file and the key or tensor at fault */
  constructor(readonly dir: string) {
    const configPath = join(dir, 'config.json');
    const root = JsonReader.of(readJson(configPath, "the recorded model's sizes"), configPath);
    const sizes = Object.fromEntries(Object.entries(root.object()).filter(([key]) => !OTHER_KEYS.includes(key)));
    const projector = sizes['projector'] ?? projectorOfWeights(this.weights().keys()) ?? 'identity';
    this.config = parseModelConfig({ ...sizes, system: 'lisa', projector }, configPath);
    this.vocabulary = system.vocabulary(this.config, {});
    this.tensors = new Recording(join(dir, 'case.safetensors'));
    const jsonPath = join(dir, 'case.json');
    this.json = JsonReader.of(readJson(jsonPath, 'the recorded figures'), jsonPath);
    const originals = this.json.key('original_sizes').array();
    const resized = this.json.key('sizes').array();
    if (originals.length !== resized.length) this.json.key('original_sizes').fail(`a list of ${resized.length}`);
    this.sizes = resized.map((size, i) => ({ resized: pair(size), original: pair(originals[i] as JsonReader) }));
  }

  weights(): FileTensors {
    return openSafetensors(join(this.dir, 'model.safetensors')).tensors;
  }

  /** Names of parameters under a key of case.json. */
  names(key: string): ReadonlySet<string> {
    const names = this.json.key(key).array();
    return new Set(names.map((name) => name.string()));
  }

  /** @param patches vision tokens of a picture */
  batch(name: 'batch_a' | 'batch_b', patches: number): LisaBatch {
    const place = this.json.key(name);
    const images = place.key('images').numbers();
    const offset = place.key('offset').numbers();
    const rows = new MultimodalRows(this.tokens(name === 'batch_a' ? '' : 'b.', true), patches);
    if (offset.length !== images.length + 1 || offset.at(-1) !== rows.tokens.batch) {
      place.key('offset').fail(`${images.length + 1} numbers that end with ${rows.tokens.batch}`);
    }
    const pictures = images.flatMap((picture, sample) => {
      const count = (offset[sample + 1] as number) - (offset[sample] as number);
      return Array.from({ length: count }, () => picture);
    });
    return { rows, images, offset, pictures };
  }

  /** Rows of token ids, padded on the right; `labels` and lengths where they are recorded. */
  tokens(prefix: string, hasLabels: boolean): TokenBatch {
    const ids = this.tensors.get(`${prefix}input_ids`);
    const [batch = 0, time = 0] = ids.shape;
    const mask = this.tensors.get(`${prefix}attention_mask`).data;
    const lengths = Array.from({ length: batch }, (_, row) => {
      return mask.subarray(row * time, (row + 1) * time).reduce((sum, value) => sum + value, 0);
    });
    const labels = hasLabels ? Int32Array.from(this.tensors.get(`${prefix}labels`).data) : null;
    return { inputIds: Int32Array.from(ids.data), labels, lengths, batch, time };
  }

  /** Targets of the sequences of a batch, a mask for each [SEG]; pictures are recorded with the masks of all their [SEG]. */
  targets({ rows, images, offset, pictures }: LisaBatch, file: Recording = this.tensors): MaskTargets[] {
    const found = rows.statesBefore(this.vocabulary.found, 'supervised');
    const left = new Map<number, Uint8Array[]>();
    return pictures.map((picture, row) => {
      const size = this.sizes[picture] as Geometry;
      const [height, width] = size.original;
      const count = found.filter((each) => each.row === row).length;
      const sample = images.findIndex((_, i) => row < (offset[i + 1] as number));
      const pixels = height * width;
      if (count > 0 && !left.has(sample)) {
        const { shape, data } = file.get(`gt_masks.${picture}`);
        if (!tf.util.arraysEqual(shape.slice(1), [height, width])) {
          throw new UserError(`Verifying with ${file.path}: "gt_masks.${picture}" is not ${height} × ${width}.`);
        }
        const masks = Array.from({ length: shape[0] ?? 0 }, (_, i) => data.subarray(i * pixels, (i + 1) * pixels));
        left.set(
          sample,
          masks.map((mask) => Uint8Array.from(mask)),
        );
      }
      const masks = left.get(sample)?.splice(0, count) ?? [];
      if (masks.length < count) throw new UserError(`Verifying with ${file.path}: "gt_masks.${picture}" has too few.`);
      return { ...size, masks: masks.map((data) => ({ data, height, width })), rejected: 0 };
    });
  }

  /** Pictures as the encoders take them. */
  async preparedImages(): Promise<PreparedImage[]> {
    const [clip, sam] = [await this.inputs('images_clip'), await this.inputs('images')];
    return this.sizes.map((size, i) => ({
      ...size,
      inputs: { clip: clip[i] as Float32Array, sam: sam[i] as Float32Array },
    }));
  }

  /** [B, 3, S, S] as ours, [S, S, 3] each. */
  private async inputs(name: 'images' | 'images_clip'): Promise<Float32Array[]> {
    const { shape, data } = this.tensors.get(name);
    const tensor = tf.tidy(() => tf.transpose(tf.tensor(data, [...shape]), [0, 2, 3, 1]));
    const all = Float32Array.from(await tensor.data<'float32'>());
    tensor.dispose();
    const size = all.length / this.sizes.length;
    return this.sizes.map((_, i) => all.subarray(i * size, (i + 1) * size));
  }
}
