/**
 * Places of text and vision tokens after every <image> placeholder (id -200) is replaced by the N vision tokens of the
 * row's image (LLaVA's `prepare_inputs_labels_for_multimodal`). Plain numbers; the model turns them into two gathers.
 */
import type * as tf from '../engine/tf.js';
import { UserError } from '../errors.js';
import type { TileGrid } from '../types.js';
import { IGNORE_LABEL, IMAGE_TOKEN_ID } from '../special-tokens.js';

/** Token rows padded on the right to the same length. */
export interface TokenBatch {
  /** [B·T], -200 at the image. */
  readonly inputIds: Int32Array;
  /** [B·T], -100 where nothing is supervised; null without supervision. */
  readonly labels: Int32Array | null;
  /** Valid tokens of each row, placeholders counted as one. */
  readonly lengths: readonly number[];
  readonly batch: number;
  readonly time: number;
}

/** Picture of a row among the features, which are tiles. */
export interface RowPicture {
  /** Its first tile, and how many it has, a thumbnail included. */
  readonly firstTile: number;
  readonly tiles: number;
  /** Tiles row by row, without the thumbnail. */
  readonly grid: TileGrid;
}

const ONE_TILE: TileGrid = { columns: 1, rows: 1 };

/**
 * Pictures of rows whose tiles stand one picture after the other.
 * @param counts tiles of each picture, thumbnails included
 * @param grids of each picture; absent: one tile
 * @param pictureOf for every row its picture; default: one row each
 */
export function rowPictures(
  counts: readonly number[],
  grids: readonly (TileGrid | undefined)[],
  pictureOf: readonly number[] = counts.map((_, picture) => picture),
): RowPicture[] {
  return pictureOf.map((picture) => ({
    firstTile: counts.slice(0, picture).reduce((sum, count) => sum + count, 0),
    tiles: counts[picture] ?? 1,
    grid: grids[picture] ?? ONE_TILE,
  }));
}

export class MultimodalRows {
  /** Length of the padded rows with vision tokens in place. */
  readonly time: number;
  /** Valid tokens of each row, vision tokens included. */
  readonly lengths: readonly number[];
  /** [B·time] row of the embedding table; 0 at vision tokens and padding. */
  readonly textIndex: Int32Array;
  /** [B·time] row of the features [tiles·N, D]; 0 at text tokens. */
  readonly visionIndex: Int32Array;
  /** [B·time] 1 at vision tokens. */
  readonly isVision: Float32Array;
  /** For every row the position of its placeholder, or `Infinity` in a row of pure text. */
  private readonly placeholders: readonly number[];

  /**
   * @param patches N, the vision tokens of one tile
   * @param pictures of the rows; by default every row has its own, of one tile
   */
  constructor(
    readonly tokens: TokenBatch,
    private readonly patches: number,
    private readonly pictures: readonly RowPicture[] | null = null,
  ) {
    const { batch, time, inputIds, lengths } = tokens;
    this.placeholders = Array.from({ length: batch }, (_, row) => placeholderOf(tokens, row));
    this.lengths = lengths.map((length, row) => this.expanded(row, length));
    this.time = Math.max(...this.lengths);
    this.textIndex = new Int32Array(batch * this.time);
    this.visionIndex = new Int32Array(batch * this.time);
    this.isVision = new Float32Array(batch * this.time);
    for (let row = 0; row < batch; row++) {
      for (let t = 0; t < (lengths[row] ?? 0); t++) {
        const id = inputIds[row * time + t] ?? 0;
        const at = this.flatIndex(row, t);
        if (id !== IMAGE_TOKEN_ID) {
          this.textIndex[at] = id;
          continue;
        }
        const first = this.pictureOf(row).firstTile * patches;
        for (let patch = 0; patch < this.patchesOf(row); patch++) {
          this.visionIndex[at + patch] = first + patch;
          this.isVision[at + patch] = 1;
        }
      }
    }
  }

  /** A row's picture among the features. */
  pictureOf(row: number): RowPicture {
    return this.pictures?.[row] ?? { firstTile: row, tiles: 1, grid: ONE_TILE };
  }

  /** Vision tokens of a row's picture. */
  patchesOf(row: number): number {
    return this.patches * this.pictureOf(row).tiles;
  }

  /** Index into [B·time] of the first vision token of `row`, which has a picture. */
  firstVision(row: number): number {
    return this.flatIndex(row, this.placeholders[row] ?? 0);
  }

  /** Whether any row has a picture. */
  get hasPictures(): boolean {
    return this.placeholders.some(Number.isFinite);
  }

  /** [B·time] ids with `visionId` at every vision token, 0 at padding. */
  idsWith(visionId: number): Int32Array {
    return this.textIndex.map((id, i) => (this.isVision[i] === 1 ? visionId : id));
  }

  /** Index into [B·time] of text position `t` of `row`; for the placeholder, of its first vision token. */
  flatIndex(row: number, t: number): number {
    return row * this.time + this.expanded(row, t);
  }

  /** The supervised next tokens: `positions` index the states [B·time] that predict them, one before the token itself. */
  supervised(): { positions: Int32Array; targets: Int32Array } {
    const found = [...this.predicted()].filter(({ label }) => label !== IGNORE_LABEL);
    return {
      positions: Int32Array.from(found, ({ position }) => position),
      targets: Int32Array.from(found, ({ label }) => label),
    };
  }

  /**
   * States that predict one of `ids`, row by row: where mask queries are read.
   * @returns for each its row, its index into [B·time], and the token that it predicts: index into the row's tokens, id
   */
  statesBefore(ids: readonly number[], from: 'all' | 'supervised' = 'all') {
    return [...this.predicted()]
      .filter(({ id, label }) => ids.includes(id) && (from === 'all' || label !== IGNORE_LABEL))
      .map(({ row, position, token, id }) => ({ row, position, token, id }));
  }

  /** Every valid token that a state predicts, with the state's index into [B·time]. */
  private *predicted() {
    const { inputIds, labels, batch, time, lengths } = this.tokens;
    for (let row = 0; row < batch; row++) {
      for (let token = 1; token < (lengths[row] ?? 0); token++) {
        const at = row * time + token;
        const [id, label] = [inputIds[at] ?? 0, labels?.[at] ?? IGNORE_LABEL];
        yield { row, position: this.flatIndex(row, token) - 1, token, id, label };
      }
    }
  }

  /**
   * Tokens of some rows from position `from` on, where text alone stands.
   * @param inputIds in place of the rows' own [B·T]
   */
  behind(from: number, rows: readonly number[], inputIds: Int32Array): TokenBatch {
    const parts = rows.map((row) => {
      const placeholder = this.placeholders[row] ?? Infinity;
      const begin = placeholder < from ? from - this.patchesOf(row) + 1 : from;
      if (placeholder !== Infinity && begin <= placeholder) {
        throw new Error(`MultimodalRows.behind: position ${from} of row ${row} is not behind the picture`);
      }
      const { time, lengths } = this.tokens;
      return inputIds.subarray(row * time + begin, row * time + Math.max(begin, lengths[row] ?? 0));
    });
    const lengths = parts.map(({ length }) => length);
    const time = Math.max(...lengths);
    const ids = new Int32Array(rows.length * time);
    for (const [index, part] of parts.entries()) ids.set(part, index * time);
    return { inputIds: ids, labels: null, lengths, batch: rows.length, time };
  }

  private expanded(row: number, t: number): number {
    return t > (this.placeholders[row] ?? Infinity) ? t - 1 + this.patchesOf(row) : t;
  }
}

function placeholderOf({ inputIds, lengths, time }: TokenBatch, row: number): number {
  const ids = inputIds.subarray(row * time, row * time + (lengths[row] ?? 0));
  const first = ids.indexOf(IMAGE_TOKEN_ID);
  if (first >= 0 && ids.includes(IMAGE_TOKEN_ID, first + 1)) {
    throw new UserError(`conversation ${row} holds more than one image placeholder; a conversation has one image`);
  }
  return first < 0 ? Infinity : first;
}

/** Rows of ids [B, T] without padding, -200 at the picture. @param patches vision tokens of a picture */
export function rowsOfIds(ids: tf.Tensor2D, patches: number): MultimodalRows {
  const [batch, time] = ids.shape;
  const lengths = Array.from({ length: batch }, () => time);
  return new MultimodalRows({ inputIds: Int32Array.from(ids.dataSync()), labels: null, lengths, batch, time }, patches);
}
