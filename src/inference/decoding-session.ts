/**
 * One conversation that grows token by token: the keys and values of all tokens so far are kept, so that a new token
 * costs one token's work (KV cache).
 */
import * as tf from '../engine/tf.js';
import type { Gsva } from '../model/gsva.js';
import { type EncodedImage, stackFeatures } from '../model/image-features.js';
import type { LayerCache } from '../model/llama.js';
import { requireFinite } from '../model/not-finite.js';
import { VisionTextTokens } from '../model/vision-text-tokens.js';
import { IMAGE_TOKEN_ID } from '../special-tokens.js';

/** What the model makes of the tokens so far, read at the last of them. */
export interface DecodingStep {
  /** [V] logits of the next token. */
  readonly logits: Float32Array;
  /** [D] normalised hidden state: ψ of it is the mask query, if the next token is [SEG]. */
  readonly state: Float32Array;
}

export class DecodingSession {
  private caches: LayerCache[] = [];
  private positions = 0;
  private readonly ids: number[] = [];

  /** @param image what `<image>` (-200) in the tokens stands for */
  constructor(
    private readonly gsva: Gsva,
    private readonly image: EncodedImage,
  ) {}

  /** Tokens so far, vision tokens included. */
  get length(): number {
    return this.positions;
  }

  /**
   * Appends tokens, at least one.
   * @throws UserError that names the part of the network at fault where logits or state are not finite
   */
  async feed(ids: readonly number[]): Promise<DecodingStep> {
    if (ids.length === 0) throw new Error('DecodingSession.feed: no tokens');
    const { gsva } = this;
    const { caches, logits, state, time } = tf.tidy(() => {
      const embeddings = this.embed(ids);
      const [, time] = embeddings.shape;
      const context = gsva.llama.context(this.positions, time, null);
      const past = this.positions === 0 ? null : this.caches;
      const [hidden, caches] = gsva.llama.forward(embeddings, context, past) as [tf.Tensor3D, LayerCache[]];
      const state = gsva.statesAt(hidden, [time - 1]);
      const kept = caches.map(({ keys, values }) => ({ keys, values }));
      return { caches: kept, logits: gsva.lmHead.forward(state), state, time };
    });
    this.release();
    this.caches = caches;
    this.positions += time;
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

  /** Frees the cache; the session is of no use afterwards. */
  dispose(): void {
    this.release();
    this.caches = [];
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

  private release(): void {
    for (const { keys, values } of this.caches) tf.dispose([keys, values]);
  }

  private embed(ids: readonly number[]): tf.Tensor3D {
    const { gsva } = this;
    if (!ids.includes(IMAGE_TOKEN_ID)) {
      return gsva.llama.embedTokens.forward(tf.tensor2d([...ids], [1, ids.length], 'int32')) as tf.Tensor3D;
    }
    const tokens = { inputIds: Int32Array.from(ids), labels: null, lengths: [ids.length], batch: 1, time: ids.length };
    const { clipFeatures } = stackFeatures(gsva, [this.image]);
    return gsva.embed(new VisionTextTokens(tokens, gsva.patches), gsva.projector.forward(clipFeatures) as tf.Tensor3D);
  }
}
