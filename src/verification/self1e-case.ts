/** The recording of SELF1E's whole model (self1e-tiny), read strictly. */
import { join } from 'node:path';
import { withWeights } from '../checkpoints/checkpoint-directory.js';
import { UserError } from '../errors.js';
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
import type { BinaryMask } from '../types.js';
import { Recording } from './model-case.js';
import type { ModelSubject } from './model-subject.js';
import { type RecordedLayout, recordedLayouts } from './self1e-layouts.js';

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
  /** Recorded rows by the prefix of their tensors. */
  readonly layouts: ReadonlyMap<string, RecordedLayout>;

  /** @throws UserError naming file and key or tensor at fault */
  constructor(readonly dir: string) {
    const path = join(dir, 'config.json');
    const root = JsonReader.of(readJson(path, "the recorded model's sizes"), path);
    this.config = readSelf1eConfig(configJson(root, this.weights('model.safetensors')), path);
    this.vocabulary = system.vocabulary(this.config, {});
    this.tensors = new Recording(join(dir, 'case.safetensors'));
    const jsonPath = join(dir, 'case.json');
    this.json = JsonReader.of(readJson(jsonPath, 'the recorded figures'), jsonPath);
    this.layouts = recordedLayouts(this.json, this.tensors.names);
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

  /** The recorded model's sizes and weights. */
  model(): ModelSubject<Self1eConfig> {
    const weightsPath = join(this.dir, 'model.safetensors');
    return { config: this.config, tensors: this.weights('model.safetensors'), weightsPath };
  }

  /** The model, with the recorded weights unless others are given; the caller disposes it. */
  buildModel({ config, tensors, weightsPath = this.dir } = this.model()): Self1e {
    return withWeights(new Self1e(config), tensors, weightsPath);
  }

  /** Images [n, 3, S, S] as ours, [n, S, S, 3]; owned by the caller. @param range of some of them: begin and end */
  pictures(name: string, range: readonly [number, number] | null = null): tf.Tensor4D {
    const { shape, data } = this.tensors.get(name);
    const [begin, end] = range ?? [0, shape[0] ?? 0];
    return tf.tidy(() => {
      const images = tf.tensor4d(data, shape as [number, number, number, number]);
      return tf.transpose(tf.slice(images, begin, end - begin), [0, 2, 3, 1]);
    });
  }

  /**
   * Recorded rows and their pictures.
   * @param prefix of the tensors' names: 'b.'
   * @throws UserError where ids, tiles and pictures do not fit each other
   */
  rows(prefix: string): RecordedRows {
    const layout = this.layout(prefix);
    const ids = this.tensors.get(`${prefix}input_ids`);
    const labels = this.tensors.names.includes(`${prefix}labels`) ? this.tensors.get(`${prefix}labels`).data : null;
    const [batch = 0, time = 0] = ids.shape;
    const conversations: TokenizedConversation[] = [];
    const pictures: RowPicture[] = [];
    let tilesSoFar = 0;
    for (let row = 0; row < batch; row++) {
      const range = [row * time, (row + 1) * time] as const;
      conversations.push(this.collapsed(ids.data.subarray(...range), labels?.subarray(...range) ?? null));
      const tiles = this.tilesOf(ids.data.subarray(...range));
      const grid = layout.grids[layout.isOnePicture ? 0 : row] ?? { columns: 1, rows: 1 };
      pictures.push({ firstTile: layout.isOnePicture ? 0 : tilesSoFar, tiles, grid });
      tilesSoFar = layout.isOnePicture ? tiles : tilesSoFar + tiles;
      // A thumbnail may stand behind the tiles of a grid.
      if (tiles > 0 && tiles !== grid.columns * grid.rows && tiles !== grid.columns * grid.rows + 1) {
        this.refuse(`${prefix}input_ids`, `row ${row} has ${tiles} tiles in a grid of ${grid.columns} × ${grid.rows}`);
      }
    }
    const images = this.pictures(layout.pixels, layout.range);
    if (images.shape[0] !== tilesSoFar) {
      images.dispose();
      this.refuse(layout.pixels, `it has ${images.shape[0]} tiles, its ids ${tilesSoFar}`);
    }
    const rows = new MultimodalRows(tokenBatch(conversations, labels !== null), visionTokens(this.config), pictures);
    return { rows, pictures: images };
  }

  layout(prefix: string): RecordedLayout {
    return this.layouts.get(prefix) ?? this.refuse(`${prefix}input_ids`, 'case.json does not describe its pictures');
  }

  /** Tiles that the vision tokens of a row are of. */
  private tilesOf(ids: Float32Array): number {
    const count = ids.reduce((sum, id) => sum + Number(id === this.config.tokens.imageContext), 0);
    const tiles = count / visionTokens(this.config);
    return Number.isInteger(tiles)
      ? tiles
      : this.refuse('input_ids', `a row has ${count} image tokens, no whole tiles`);
  }

  private refuse(tensor: string, why: string): never {
    throw new UserError(`Verifying with ${this.tensors.path}: "${tensor}": ${why}. Copy the recording again.`);
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
      targets: lora
        .key('llm')
        .array()
        .map((name) => name.oneOf(PROJECTIONS)),
      vision_targets: lora
        .key('vision')
        .array()
        .map((name) => name.oneOf(VIT_PROJECTIONS)),
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
