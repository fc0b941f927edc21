/** The `data` of a training configuration: what a run is trained on, and validated on while it trains. */
import { z } from 'zod';
import { PUBLISHED_WEIGHTS } from '../../data/sampling/sample-source.js';
import { alsoCheck, integer, list, number, object, oneOf, type Read, record, text } from '../../schema.js';

const expressionsPerSample = integer({ min: 1 }).describe(
  'Most expressions or classes of an image in one conversation',
);
const validationImages = integer({ min: 1 }).describe('Images used for validation while training');
const generateImages = integer({ min: 0 })
  .describe('How many of the validation images are answered freely too (evaluation/answer-rates.ts); 0 for none')
  // Some thirty expressions: enough to see a model that has stopped to write [SEG] or [REJ].
  .default(4);

const REFER = object({
  kind: z.literal('grefcoco'),
  dir: text().describe('Folder of the data set'),
  expressionsPerSample,
  validationImages: validationImages.describe('Images of the split val used for validation while training'),
  generateImages,
}).describe('gRefCOCO in its published layout');

const JSONL = object({
  kind: z.literal('jsonl'),
  file: text().describe('The JSON lines'),
  valFile: text()
    .describe('Another file to validate on; without it the lines of "file" with the split val')
    .nullable()
    .default(null),
  expressionsPerSample,
  validationImages,
  generateImages,
}).describe("A user's own data, as JSON lines (docs/your-data.md)");

export const GROUNDING_FORMS = ['scene', 'trained'] as const;

const SCENES = object({
  kind: z.literal('scenes'),
  seed: integer({ min: 0 }),
  scenes: integer({ min: 1 }).describe('Scenes of an epoch'),
  itemsPerScene: integer({ min: 1 }).describe('Questions (language) or prompts (masks) drawn for a scene'),
  validationScenes: integer({ min: 1 }),
  forms: oneOf(GROUNDING_FORMS)
    .describe("Grounding: lists in words of its own ('scene'), or mostly in the forms GSVA is trained with ('trained')")
    .default('scene'),
}).describe("Scenes of the embedded benchmark's split base, rendered as they are needed");

const weight = (kind: keyof typeof PUBLISHED_WEIGHTS): z.ZodDefault<z.ZodNumber> =>
  number({ min: 0 }).default(PUBLISHED_WEIGHTS[kind]);

const SETS = {
  dir: text().describe('Folder of the data sets'),
  sets: list(text())
    .min(1, { error: 'a list of at least one name' })
    .superRefine(
      alsoCheck((names: readonly string[], refuse) => {
        const twice = names.findIndex((name, i) => names.indexOf(name) < i);
        if (twice >= 0) refuse([twice], 'a name that is not in the list already');
      }),
    )
    .describe('Names of data/dataset-registry.ts'),
  expressionsPerSample,
  absentClasses: integer({ min: 0 })
    .describe('Semantic segmentation: how many absent classes are asked for too; none in the paper')
    .default(0),
  workers: integer({ min: 0, max: 256 })
    .describe('Threads that load samples; by default one less than there are processors')
    .nullable()
    .default(null),
  maxBadShare: number({ min: 0, max: 1 })
    .describe('The run stops where more than this share of the samples is bad')
    .default(0.01),
  validation: object({
    set: text(),
    split: text().default('val'),
    images: validationImages,
    generateImages,
  })
    .describe('A split of a set with expressions to validate on while training')
    .nullable()
    .default(null),
};

const MIXTURE = object({
  kind: z.literal('mixture'),
  ...SETS,
  weights: object({
    sem_seg: weight('sem_seg'),
    refer_seg: weight('refer_seg'),
    vqa: weight('vqa'),
    reason_seg: weight('reason_seg'),
  })
    .describe('Shares of the kinds of a mixture; those left out as published')
    .default(PUBLISHED_WEIGHTS),
}).describe('Published sets: kinds drawn by weight');

const EPOCHS = object({ kind: z.literal('epochs'), ...SETS }).describe(
  'Published sets: every image of the sets once in an epoch',
);

const rate = (): z.ZodDefault<z.ZodNumber> => integer({ min: 1 }).default(1);

const REPEATED = object({
  kind: z.literal('repeated'),
  ...SETS,
  rates: object({ sem_seg: rate(), refer_seg: rate(), reason_seg: rate(), vqa: rate() })
    .describe('How often every item of a kind comes in an epoch')
    .default({ sem_seg: 1, refer_seg: 1, reason_seg: 1, vqa: 1 }),
  most: record(integer({ min: 1 }))
    .describe('Items of a set, by its name, at most: of a larger set this many are drawn at random, once for the run')
    .default({}),
  thinSeed: integer({ min: 0 }).describe('Decides which items of "most" these are').default(0),
  drawn: list(text())
    .describe('Sets whose items are drawn at random each time, instead of every one as often as its rate')
    .default([]),
  lastOfBatch: oneOf(['segmentation'])
    .describe('The last item of every micro-batch is replaced by a random one of the segmentation sets')
    .nullable()
    .default(null),
})
  .describe('Published sets: every item in an epoch as often as the rate of its kind')
  .superRefine(
    alsoCheck(({ sets, most, drawn }, refuse) => {
      for (const name of Object.keys(most))
        if (!sets.includes(name)) refuse(['most', name], 'names of data.sets alone');
      for (const [i, name] of drawn.entries()) if (!sets.includes(name)) refuse(['drawn', i], 'a name of data.sets');
    }),
  );

const KINDS = [REFER, JSONL, EPOCHS, MIXTURE, REPEATED, SCENES] as const;

export const DATA_SCHEMA = z.discriminatedUnion('kind', KINDS, {
  error: ({ code }) =>
    (code as string) === 'invalid_union'
      ? `one of ${KINDS.map(({ shape }) => `"${shape.kind.value}"`).join(', ')}`
      : 'an object',
});

export type ReferData = Read<typeof REFER>;
export type JsonlData = Read<typeof JSONL>;
export type SceneData = Read<typeof SCENES>;
export type SetsData = Read<typeof MIXTURE> | Read<typeof EPOCHS> | Read<typeof REPEATED>;
export type GroundingForms = SceneData['forms'];
