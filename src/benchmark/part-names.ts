/** Names of the parts of a benchmark; apart from the parts, which need an engine. */

/** Encoders by the names of `System.pictures`; a model has some of them. */
export const ENCODER_PARTS = { sam: 'SAM encoder', clip: 'CLIP tower', vit: 'InternViT' } as const;

/** Names of the parts, in the order in which they are measured. */
export const PARTS = {
  trainingStep: 'training step',
  trainingStepKept: 'training step, features kept',
  trainingStepOnTape: 'training step, features kept, nothing recomputed',
  evaluatedImage: 'evaluated image',
  question: 'question',
  ...ENCODER_PARTS,
  llm: 'LLM forward',
  masks: 'masks',
  generate: 'generate',
} as const;

export type PartName = (typeof PARTS)[keyof typeof PARTS];
