/** The recording of SELF1E's whole model (self1e-tiny), read strictly. */
import { join } from 'node:path';
import { withWeights } from '../checkpoints/checkpoint-directory.js';
import { PROJECTIONS, VIT_PROJECTIONS } from '../config.js';
import type { TokenizedConversation } from '../data/text/conversation.js';
import * as tf from '../engine/tf.js';
import { readJson } from '../io/json/json-file.js';
import { JsonReader } from '../io/json/json-reader.js';
import type { FileTensor, FileTensors } from '../io/file-tensor.js';
import { openSafetensors } from '../io/safetensors/safetensors.js';
import { MultimodalRows, type RowPicture } from '../networks/multimodal-rows.js';
import { IGNORE_LABEL, IMAGE_TOKEN_ID } from '../special-tokens.js';
import { readSelf1eConfig, type Self1eConfig, visionTokens } from '../systems/self1e/config.js';
import { Self1e } from '../systems/self1e/model.js';
import { internVlSizes } from '../systems/self1e/published/config.js';
import { ownName } from '../systems/self1e/published/names.js';
import { system } from '../systems/self1e/system.js';
import type { MaskTargets, Vocabulary } from '../systems/system.js';
import type { BinaryMask, TileGrid } from '../types.js';
import { Recording } from './model-case.js';

/** Padding in the recorded ids; no text ends with it. */
const PAD = 0;

/** Recorded rows, with the pictures that they are about. */
export interface RecordedRows {
  readonly rows: MultimodalRows;
  /** Input of the encoder [tiles, S, S, 3]; owned by the caller. */
  readonly pictures: tf.Tensor4D;
}

export class Self1eCase {
  readonly config: Self1eConfig;
  readonly vocabulary: Vocabulary;
  /** case.safetensors */
  readonly tensors: Recording;
  /** case.json */
  readonly json: JsonReader;

  /** @throws UserError naming file and key or tensor at fault */
  constructor(readonly dir: string) {
    const path = join(dir, 'config.json');
    const root = JsonReader.of(readJson(path, "the recorded model's sizes"), path);
    this.config = readSelf1eConfig(configJson(root, this.weights('model.safetensors')), path);
    this.vocabulary = system.vocabulary(this.config, {});
    this.tensors = new Recording(join(dir, 'case.safetensors'));
    const jsonPath = join(dir, 'case.json');
    this.json = JsonReader.of(readJson(jsonPath, 'the recorded figures'), jsonPath);
  }

  /** Weights of a file by our names. */
  weights(file: string): FileTensors {
    const { tensors } = openSafetensors(join(this.dir, file));
    return new Map([...tensors].map(([name, tensor]): [string, FileTensor] => [this.ownName(name), tensor]));
  }

  ownName(recorded: string): string {
    const found = ownName(recorded);
    return 'name' in found ? found.name : recorded;
  }

  /** The model with the recorded weights; the caller disposes it. */
  buildModel(): Self1e {
    return withWeights(new Self1e(this.config), this.weights('model.safetensors'), join(this.dir, 'model.safetensors'));
  }

  /** Images [n, 3, S, S] as ours, [n, S, S, 3]; owned by the caller. */
  pictures(name: string): tf.Tensor4D {
    const { shape, data } = this.tensors.get(name);
    return tf.tidy(() => tf.transpose(tf.tensor4d(data, shape as [number, number, number, number]), [0, 2, 3, 1]));
  }

  /**
   * Rows of recorded ids and their pictures.
   * @param prefix of the tensors' names: 'b.'
   * @param grids tiles of the picture of each row; by default one
   * @param pictureOf picture of each row; by default its own
   */
  rows(
    prefix: string,
    grids: readonly TileGrid[] = [],
    pictureOf: readonly number[] | null = null,
    pixels = `${prefix}pixel_values`,
  ): RecordedRows {
    const ids = this.tensors.get(`${prefix}input_ids`);
    const labels = this.tensors.names.includes(`${prefix}labels`) ? this.tensors.get(`${prefix}labels`).data : null;
    const [batch = 0, time = 0] = ids.shape;
    const conversations = Array.from({ length: batch }, (_, row) => {
      const range = [row * time, (row + 1) * time] as const;
      return this.collapsed(ids.data.subarray(...range), labels?.subarray(...range) ?? null);
    });
    let firstTile = 0;
    const pictures = conversations.map((_, row): RowPicture => {
      const grid = grids[row] ?? { columns: 1, rows: 1 };
      const tiles = grid.columns * grid.rows;
      const first = pictureOf?.[row] ?? firstTile;
      firstTile += tiles;
      return { firstTile: first, tiles, grid };
    });
    const rows = new MultimodalRows(tokenBatch(conversations, labels !== null), visionTokens(this.config), pictures);
    return { rows, pictures: this.pictures(pixels) };
  }

  /** Masks of a row's [SEG]; none recorded: a dialogue. */
  targets(prefix: string, row: number): MaskTargets {
    const name = `${prefix}gt_masks.${row}`;
    if (!this.tensors.names.includes(name)) return { masks: [], rejected: 0, original: [1, 1], resized: [1, 1] };
    const { shape, data } = this.tensors.get(name);
    const [count = 0, height = 0, width = 0] = shape;
    const pixels = height * width;
    const masks = Array.from({ length: count }, (_, i): BinaryMask => {
      return { data: Uint8Array.from(data.subarray(i * pixels, (i + 1) * pixels)), height, width };
    });
    return { masks, rejected: 0, original: [height, width], resized: [height, width] };
  }

  /** A recorded row without padding, its vision tokens as one -200. */
  collapsed(ids: Float32Array, labels: Float32Array | null): TokenizedConversation {
    const { imageContext } = this.config.tokens;
    const inputIds: number[] = [];
    const own: number[] = [];
    const end = ids.findLastIndex((id) => id !== PAD) + 1;
    for (const [t, id] of ids.subarray(0, end).entries()) {
      if (id === imageContext && ids[t - 1] === imageContext) continue;
      inputIds.push(id === imageContext ? IMAGE_TOKEN_ID : id);
      own.push(labels?.[t] ?? IGNORE_LABEL);
    }
    return { inputIds, labels: own };
  }
}

function tokenBatch(conversations: readonly TokenizedConversation[], hasLabels: boolean) {
  const time = Math.max(...conversations.map(({ inputIds }) => inputIds.length));
  const batch = conversations.length;
  const inputIds = new Int32Array(batch * time);
  const labels = new Int32Array(batch * time).fill(IGNORE_LABEL);
  for (const [row, each] of conversations.entries()) {
    inputIds.set(each.inputIds, row * time);
    labels.set(each.labels, row * time);
  }
  const lengths = conversations.map((each) => each.inputIds.length);
  return { inputIds, labels: hasLabels ? labels : null, lengths, batch, time };
}

/** config.json of ours from InternVL's, which has a key of the recording's own: LoRA, ids, weights of losses. */
function configJson(root: JsonReader, tensors: FileTensors): unknown {
  const { vision, llm } = internVlSizes(root, tensors);
  const own = root.key('self1e');
  const [lora, tokens] = [own.key('lora'), own.key('tokens')];
  const id = (token: string): number => tokens.key(token).integer();
  return {
    system: 'self1e',
    vision: snakeKeys(vision),
    llm: snakeKeys(llm),
    refill: { retaining: 'self-replication', amplifier: true },
    lora: {
      r: lora.key('r').integer(),
      alpha: lora.key('alpha').number(),
      dropout: lora.key('dropout').number(),
      targets: lora.key('llm').array().map((name) => name.oneOf(PROJECTIONS)),
      vision_targets: lora.key('vision').array().map((name) => name.oneOf(VIT_PROJECTIONS)),
    },
    tokens: {
      ...{ seg: id('[SEG]'), segt: id('[SEGT]'), image_context: id('<IMG_CONTEXT>') },
      ...{ image_start: id('<img>'), image_end: id('</img>'), image: IMAGE_TOKEN_ID, ignore: IGNORE_LABEL },
      ...{ pad: PAD, begin: id('<|im_start|>'), end: id('<|im_end|>') },
    },
    loss: Object.fromEntries(['ce', 'bce', 'dice'].map((name) => [name, own.key('loss').key(name).number()])),
    tiles: { most: 1, thumbnail: false },
  };
}

function snakeKeys(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const snake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [snake(key), value]));
}
