/** Names of the parts of a benchmark; apart from the parts, which need an engine. */

/** Names of the parts, in the order in which they are measured. */
export const PARTS = {
  trainingStep: 'training step',
  trainingStepKept: 'training step, features kept',
  trainingStepOnTape: 'training step, features kept, nothing recomputed',
  evaluatedImage: 'evaluated image',
  samEncoder: 'SAM encoder',
  clipTower: 'CLIP tower',
  llm: 'LLM forward',
  maskDecoder: 'mask decoder',
  generate: 'generate',
} as const;

export type PartName = (typeof PARTS)[keyof typeof PARTS];
