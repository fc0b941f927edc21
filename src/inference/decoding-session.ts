/**
 * One conversation that grows token by token: each reading continues the one before, so that a new token costs one
 * token's work (KV cache).
 */
import type { Abortable } from '../abortable.js';
import { requireFinite } from '../checkpoints/not-finite.js';
import { stepwise } from '../engine/steps.js';
import * as tf from '../engine/tf.js';
import { type EncodedImage, stackFeatures } from '../features/image-features.js';
import { rowsAbout, tilesOfImage } from '../features/image-rows.js';
import type { MultimodalRows } from '../networks/multimodal-rows.js';
import { statesAt } from '../networks/states-at.js';
import { IMAGE_TOKEN_ID } from '../special-tokens.js';
import type { GroundingModel, Reading } from '../systems/system.js';

/** Output of the model at the last of the tokens so far. */
interface DecodingStep {
  /** [V] logits of the next token. */
  readonly logits: Float32Array;
  /** [D] normalised hidden state: grounded, if the next token is a decision. */
  readonly state: Float32Array;
}

/** A beginning that several conversations share. */
export interface Beginning {
  /** Tokens that are read, `<image>` as one (-200). */
  readonly ids: readonly number[];
  /** The reading of the last of them, which has the cache of all. */
  readonly reading: Reading;
  /** Positions that they take, vision tokens included. */
  readonly positions: number;
}

export class DecodingSession {
  private reading: Reading | null;
  private positions: number;
  /** The reading belongs to somebody else. */
  private isBorrowed: boolean;
  /** All tokens that are read. */
  private readonly ids: number[];

  /**
   * @param image what `<image>` (-200) in the tokens stands for
   * @param begun tokens that are read already; it stays the caller's, and must live as long as the session
   */
  constructor(
    private readonly network: GroundingModel,
    private readonly image: EncodedImage,
    begun: Beginning | null = null,
  ) {
    this.reading = begun?.reading ?? null;
    this.positions = begun?.positions ?? 0;
    this.isBorrowed = begun !== null;
    this.ids = [...(begun?.ids ?? [])];
  }

  /** Tokens so far, vision tokens included. */
  get length(): number {
    return this.positions;
  }

  /**
   * Keeps the tokens read that `ids` begins with, and drops those behind them. The last of `ids` is never kept: its
   * logits are what the next reading is for.
   * @returns the ids that remain to be read
   */
  continued(ids: readonly number[]): readonly number[] {
    let kept = 0;
    while (kept < Math.min(this.ids.length, ids.length - 1) && this.ids[kept] === ids[kept]) kept++;
    this.ids.length = kept;
    if (kept === 0) this.replace(null);
    const pictures = this.ids.filter((id) => id === IMAGE_TOKEN_ID).length;
    const patches = this.network.patches * tilesOfImage(this.network, this.image);
    this.positions = kept + pictures * (patches - 1);
    return ids.slice(kept);
  }

  /**
   * Appends tokens, at least one.
   * @param signal heard after every layer
   * @throws the signal's reason; the session is then as it was before
   * @throws UserError that names the part of the network at fault where logits or state are not finite
   */
  async feed(ids: readonly number[], signal?: Abortable): Promise<DecodingStep> {
    const { hidden } = await this.read(ids, signal);
    const { logits, state } = tf.tidy(() => this.lastOf(hidden));
    this.ids.push(...ids);
    try {
      // Copies: what data() returns may belong to the engine.
      const step = {
        logits: Float32Array.from(await logits.data<'float32'>()),
        state: Float32Array.from(await state.data<'float32'>()),
      };
      await this.requireFinite('the numbers of the hidden state before the next token', step.state);
      await this.requireFinite('the logits of the next token', step.logits);
      return step;
    } finally {
      tf.dispose([logits, state]);
    }
  }

  /** Appends tokens and ends the session: its reading, for other sessions to begin with; owned by the caller. */
  async finish(ids: readonly number[], signal?: Abortable): Promise<Beginning> {
    const reading = await this.read(ids, signal);
    this.reading = null;
    return { ids, reading, positions: this.positions };
  }

  /** Frees the cache; the session is of no use afterwards. */
  dispose(): void {
    this.replace(null);
  }

  /** The whole conversation is read again where the numbers are not finite. */
  private requireFinite(what: string, numbers: Float32Array): Promise<void> {
    const { network } = this;
    return requireFinite(network, `Answering: ${what}`, numbers, () => {
      tf.tidy(() => {
        const rows = this.rowsOf(this.ids);
        this.lastOf(network.read(rows, this.featuresFor(rows)).hidden);
      });
    });
  }

  private async read(ids: readonly number[], signal: Abortable | undefined): Promise<Reading> {
    if (ids.length === 0) throw new Error('DecodingSession: no tokens');
    const rows = this.rowsOf(ids);
    const features = this.featuresFor(rows);
    const { reading: last, positions } = this;
    const after = last === null ? {} : { after: { reading: last, rows: [0], from: positions } };
    try {
      const reading = await stepwise(this.network.reading(rows, features, { keepCache: true, ...after }), signal);
      this.replace(reading);
      this.positions += rows.time;
      return reading;
    } finally {
      tf.dispose(features);
    }
  }

  private replace(reading: Reading | null): void {
    if (!this.isBorrowed) this.reading?.dispose();
    this.reading = reading;
    this.isBorrowed = false;
  }

  private lastOf(hidden: tf.Tensor3D): { logits: tf.Tensor2D; state: tf.Tensor2D } {
    const state = statesAt(hidden, [hidden.shape[1] - 1]);
    return { logits: this.network.logits(state), state };
  }

  private rowsOf(ids: readonly number[]): MultimodalRows {
    const tokens = { inputIds: Int32Array.from(ids), labels: null, lengths: [ids.length], batch: 1, time: ids.length };
    return rowsAbout(this.network, tokens, [this.image]);
  }

  private featuresFor(rows: MultimodalRows): Record<string, tf.Tensor> {
    return rows.hasPictures ? stackFeatures(this.network, [this.image]) : {};
  }
}

/**
 * The opening that all questions about a picture share, from the begin-of-text token to the picture itself. The LLM reads
 * it once per picture; each question goes on from there.
 */
export class Opening {
  private kept: Beginning | null = null;

  constructor(
    private readonly network: GroundingModel,
    private readonly image: EncodedImage,
  ) {}

  /**
   * The cached beginning of a conversation, up to the picture; null where the conversation has no picture or
   * begins otherwise than the first one did. It stays this object's.
   */
  async of(inputIds: readonly number[], signal?: Abortable): Promise<Beginning | null> {
    const end = inputIds.indexOf(IMAGE_TOKEN_ID) + 1;
    if (end === 0) return null;
    const ids = inputIds.slice(0, end);
    let kept = this.kept;
    if (kept === null) {
      const session = new DecodingSession(this.network, this.image);
      try {
        const begun = await session.finish(ids, signal);
        // Two questions at the same time read it twice; the first to end is kept.
        kept = this.kept ??= begun;
        if (kept !== begun) begun.reading.dispose();
      } finally {
        session.dispose();
      }
    }
    return kept.ids.length === end && kept.ids.every((id, i) => id === ids[i]) ? kept : null;
  }

  /** Frees what the LLM keeps of it. */
  dispose(): void {
    this.kept?.reading.dispose();
    this.kept = null;
  }
}
