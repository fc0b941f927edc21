/** The `training` of a training configuration: how to train, whatever is trained. */
import { alsoCheck, flag, integer, number, object, oneOf, type Read, record, text } from '../../schema.js';

/** Defaults of `watchEvery` and `flatWindow`. */
export const WATCH_EVERY = 10;
export const FLAT_WINDOW = 100;

const SCHEDULE = object({
  form: oneOf(['linear', 'published', 'published-0.19'])
    .describe("'linear', or DeepSpeed's WarmupDecayLR as 'published' (docs/training.md); by default 'linear'")
    .optional(),
  learningRate: number({ above: 0 }).describe('Highest learning rate, reached at the end of the warm-up'),
  warmupUpdates: integer({ min: 0 }).describe('Updates of the warm-up; 0 for none'),
  totalUpdates: integer({ min: 1 }).describe('Updates of the whole run; either this or totalEpochs').optional(),
  totalEpochs: number({ above: 0 }).describe('Epochs of the whole run; either this or totalUpdates').optional(),
  decay: oneOf(['linear', 'cosine']),
  maxMinutes: number({ above: 0 })
    .describe('The run ends after this many minutes if its updates are not done by then')
    .optional(),
})
  .superRefine(
    alsoCheck(({ form = 'linear', warmupUpdates, totalUpdates, totalEpochs, decay }, refuse) => {
      if (totalEpochs !== undefined && totalUpdates !== undefined)
        refuse('totalUpdates', 'null where totalEpochs is given');
      if (totalEpochs === undefined && totalUpdates === undefined) {
        refuse('totalUpdates', 'a whole number of at least 1, or "totalEpochs" in its place');
      }
      if (totalUpdates !== undefined && warmupUpdates >= totalUpdates) {
        refuse('warmupUpdates', `a whole number below totalUpdates (${totalUpdates})`);
      }
      if (form !== 'linear' && decay !== 'linear') refuse('decay', `"linear", as the form "${form}" decays`);
    }),
  )
  .describe('Learning rate by update');

/** How much of a moment stays in an update. */
const BETA = number({ min: 0 }).lt(1, { error: 'a number from 0 to below 1' });

const OPTIMIZER = object({
  beta1: BETA,
  beta2: BETA,
  eps: number({ above: 0 }),
  weightDecay: number({ min: 0 }).describe(
    'Decoupled: a parameter shrinks by learningRate · weightDecay of itself in each update that it takes part in',
  ),
  clipNorm: number({ above: 0 })
    .describe('Gradients of a larger global norm are scaled down to it; null for no clipping')
    .nullable()
    .default(null),
  learningRateMultipliers: record(number({ min: 0 }))
    .describe(
      "Factors on the learning rate by regular expression on the variable's name; the first that matches counts",
    )
    .optional(),
}).describe('AdamW');

export const TRAINING_SCHEMA = object({
  seed: integer({ min: 0 }).describe('Decides order, augmentation and dropout'),
  batchSize: integer({ min: 1 }).describe('Samples in a micro-batch: what one forward and backward pass takes'),
  accumulation: integer({ min: 1 }).describe('Micro-batches in an update, on each rank'),
  accumulate: oneOf(['mean', 'sum'])
    .describe(
      "How the micro-batches of a rank are taken together: the mean of their gradients, or ('sum', as SELF1E was trained) " +
        'their sum; ranks are always averaged',
    )
    .default('mean'),
  prefetch: integer({ min: 1 }).describe('Samples prepared ahead'),
  validateEvery: integer({ min: 0 }).describe('Updates between two validations; 0 for never'),
  checkpointEvery: integer({ min: 0 }).describe(
    'Updates between two checkpoints (`last`); 0 for only after validations and at the end',
  ),
  keepCheckpoints: integer({ min: 0 })
    .describe(
      'In addition to `last` and `best`, how many of the most recent checkpoints stay, as update-000400 and so on',
    )
    .optional(),
  bestMetric: object({ name: text(), mode: oneOf(['max', 'min']) })
    .describe('The validation figure that chooses `best`; without it there is none')
    .optional(),
  watchEvery: integer({ min: 0 })
    .describe("Updates between two measurements of gradients and changes of the model's parts; 0 for never")
    .default(WATCH_EVERY),
  flatWindow: integer({ min: 0 })
    .describe('Losses in each of the two stretches by which a flat loss is found; 0: it is not looked for')
    .default(FLAT_WINDOW),
  recompute: flag()
    .describe("Whether LLaMA's layers are run again in the backward pass instead of holding what they computed")
    .default(true),
  optimizer: OPTIMIZER,
  schedule: SCHEDULE,
});

type Training = Read<typeof TRAINING_SCHEMA>;
type Optional = 'watchEvery' | 'flatWindow' | 'accumulate';

/** How to train, as configured. */
export type TrainingConfig = Omit<Training, 'recompute' | Optional> & Partial<Pick<Training, Optional>>;
export type Accumulate = Training['accumulate'];
export type ScheduleConfig = Training['schedule'];
export type AdamWOptions = Read<typeof OPTIMIZER>;
