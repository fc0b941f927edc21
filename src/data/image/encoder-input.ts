/** Input of an encoder as plain data: how a picture becomes a square [side, side, 3]. */
export interface EncoderInput {
  /** 'crop': shortest side resized, centre cropped (CLIP); 'pad': longest side resized, zero-padded (SAM). */
  readonly transform: 'crop' | 'pad';
  /** Pixels. */
  readonly side: number;
  /** Features that a conversation without masks can do without: 'masks'. */
  readonly neededFor: 'text' | 'masks';
}

/** Inputs of a system's encoders by name. */
export type Pictures = Readonly<Record<string, EncoderInput>>;
