/**
 * The opening that all questions about a picture share, from the begin-of-text token to the picture itself. The LLM reads
 * it once per picture; each question goes on from there.
 */
import type { Abortable } from '../abortable.js';
import type { GroundingModel } from '../systems/system.js';
import type { EncodedImage } from '../features/image-features.js';
import { IMAGE_TOKEN_ID } from '../special-tokens.js';
import { type Beginning, DecodingSession } from './decoding-session.js';

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
    let kept = this.current();
    if (kept === null) {
      const session = new DecodingSession(this.network, this.image);
      try {
        const begun = await session.finish(ids, signal);
        // Two questions at the same time read it twice; the first to end is kept.
        kept = this.current() ?? begun;
        if (kept !== begun) begun.reading.dispose();
        this.kept = kept;
      } finally {
        session.dispose();
      }
    }
    return kept.ids.length === end && kept.ids.every((id, i) => id === ids[i]) ? kept : null;
  }

  private current(): Beginning | null {
    return this.kept;
  }

  /** Frees what the LLM keeps of it. */
  dispose(): void {
    this.kept?.reading.dispose();
    this.kept = null;
  }
}
