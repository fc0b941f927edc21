/**
 * One conversation that grows token by token: the keys and values of all tokens so far are kept, so that a new token
 * costs one token's work (KV cache).
 */
import type { Abortable } from '../abortable.js';
import { stepwise } from '../engine/steps.js';
import * as tf from '../engine/tf.js';
import type { LlavaSam } from '../systems/shared/llava-sam.js';
import { type EncodedImage, stackFeatures } from '../features/image-features.js';
import type { LayerCache } from '../networks/decoder-lm/llama.js';
import { requireFinite } from '../checkpoints/not-finite.js';
import { MultimodalRows } from '../networks/multimodal-rows.js';
import { IMAGE_TOKEN_ID } from '../special-tokens.js';

/** What the model makes of the tokens so far, read at the last of them. */
export interface DecodingStep {
  /** [V] logits of the next token. */
  readonly logits: Float32Array;
  /** [D] normalised hidden state: ψ of it is the mask query, if the next token is [SEG]. */
  readonly state: Float32Array;
}

/** A beginning that several conversations share: the tokens, and what the LLM keeps of them. */
export interface Beginning {
  /** Tokens that are read, `<image>` as one (-200). */
  readonly ids: readonly number[];
  /** Keys and values of every layer. */
  readonly caches: readonly LayerCache[];
  /** Positions that they take, vision tokens included. */
  readonly positions: number;
}

export class DecodingSession {
  private caches: readonly LayerCache[];
  private positions: number;
  /** The caches belong to somebody else. */
  private isBorrowed: boolean;
  /** All tokens that are read. */
  private readonly ids: number[];

  /**
   * @param image what `<image>` (-200) in the tokens stands for
   * @param begun tokens that are read already; its caches stay the caller's, and must live as long as the session
   */
  constructor(
    private readonly gsva: LlavaSam,
    private readonly image: EncodedImage,
    begun: Beginning | null = null,
  ) {
    this.caches = begun?.caches ?? [];
    this.positions = begun?.positions ?? 0;
    this.isBorrowed = begun !== null;
    this.ids = [...(begun?.ids ?? [])];
  }

  /** Tokens so far, vision tokens included. */
  get length(): number {
    return this.positions;
  }

  /**
   * Appends tokens, at least one.
   * @param signal heard after every layer
   * @throws the signal's reason; the session is then as it was before
   * @throws UserError that names the part of the network at fault where logits or state are not finite
   */
  async feed(ids: readonly number[], signal?: Abortable): Promise<DecodingStep> {
    const { gsva } = this;
    const hidden = await this.read(ids, signal);
    const time = hidden.shape[1];
    const { logits, state } = tf.tidy(() => {
      const state = gsva.statesAt(hidden, [time - 1]);
      return { logits: gsva.lmHead.forward(state), state };
    });
    hidden.dispose();
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

  /** Appends tokens and ends the session: what it has read, for other sessions to begin with; owned by the caller. */
  async finish(ids: readonly number[], signal?: Abortable): Promise<Beginning> {
    tf.dispose(await this.read(ids, signal));
    const { caches, positions } = this;
    this.caches = [];
    return { ids, caches, positions };
  }

  /** Frees the cache; the session is of no use afterwards. */
  dispose(): void {
    this.replaceCaches([]);
  }

  /** The whole conversation is read again where the numbers are not finite. */
  private requireFinite(what: string, numbers: Float32Array): Promise<void> {
    const { gsva, ids } = this;
    return requireFinite(gsva, `Answering: ${what}`, numbers, () => {
      tf.tidy(() => {
        const embeddings = this.embed(ids);
        const [, time] = embeddings.shape;
        const [hidden] = gsva.llama.forward(embeddings, gsva.llama.context(0, time, null));
        gsva.lmHead.forward(gsva.statesAt(hidden as tf.Tensor3D, [time - 1]));
      });
    });
  }

  /** Normalised hidden states [1, T, D] of the new tokens; owned by the caller. */
  private async read(ids: readonly number[], signal: Abortable | undefined): Promise<tf.Tensor3D> {
    if (ids.length === 0) throw new Error('DecodingSession: no tokens');
    const { llama } = this.gsva;
    const past = this.positions === 0 ? null : this.caches;
    const { embeddings, cos, sin } = tf.tidy(() => {
      const embeddings = this.embed(ids);
      const { cos, sin } = llama.context(this.positions, embeddings.shape[1], null);
      return { embeddings, cos, sin };
    });
    try {
      const context = { cos, sin, keyLengths: null, dropoutSeed: null };
      const [hidden, caches] = await stepwise(llama.forwardSteps(embeddings, context, past), signal);
      this.replaceCaches(caches);
      this.positions += embeddings.shape[1];
      return hidden as tf.Tensor3D;
    } finally {
      tf.dispose([embeddings, cos, sin]);
    }
  }

  private replaceCaches(caches: readonly LayerCache[]): void {
    if (!this.isBorrowed) disposeCaches(this.caches);
    this.caches = caches;
    this.isBorrowed = false;
  }

  private embed(ids: readonly number[]): tf.Tensor3D {
    const { gsva } = this;
    if (!ids.includes(IMAGE_TOKEN_ID)) {
      return gsva.llama.embedTokens.forward(tf.tensor2d([...ids], [1, ids.length], 'int32')) as tf.Tensor3D;
    }
    const tokens = { inputIds: Int32Array.from(ids), labels: null, lengths: [ids.length], batch: 1, time: ids.length };
    const { clipFeatures } = stackFeatures(gsva, [this.image]);
    return gsva.embed(new MultimodalRows(tokens, gsva.patches), gsva.projector.forward(clipFeatures) as tf.Tensor3D);
  }
}

export function disposeCaches(caches: readonly LayerCache[]): void {
  for (const { keys, values } of caches) tf.dispose([keys, values]);
}
