/** Workload of a benchmark: the sizes of a model and of its batch (JSON5, see configs/bench-small). */
import { configForm, type ModelSizes, PARTIAL_SIZES } from '../systems/model-configs.js';
import { readJson5 } from '../io/json/json-file.js';
import { alsoCheck, EDITOR_KEY, integer, object, type Read, readAs, text, withoutNulls } from '../schema.js';

/** A question of at least four tokens, an answer of at least two for each mask. */
const leastTokens = (masks: number): number => 6 * masks + 4;

const WORKLOAD = object({
  seed: integer({ min: 0 }),
  batch: integer({ min: 1, max: 1024 }).describe('Pictures of a training step'),
  textTokens: integer({ min: 10, max: 8192 }).describe('Tokens of a conversation, the image counted as one'),
  masks: integer({ min: 1, max: 64 }).describe('Masks asked for about a picture'),
  height: integer({ min: 16, max: 8192 }).describe('Height of images and masks in pixels'),
  width: integer({ min: 16, max: 8192 }).describe('Width of images and masks in pixels'),
  newTokens: integer({ min: 1, max: 4096 }).describe('Tokens written by generation'),
}).superRefine(
  alsoCheck(({ textTokens, masks }, refuse) => {
    const least = leastTokens(masks);
    if (textTokens < least) refuse('textTokens', `a whole number of at least ${least} for ${masks} masks`);
  }),
);

export const BENCH_SCHEMA = object({
  ...EDITOR_KEY,
  description: text(),
  model: PARTIAL_SIZES.describe("Sizes, as in a checkpoint's config.json"),
  workload: WORKLOAD,
});

export type Workload = Read<typeof WORKLOAD>;

/** COCO's usual size, as many masks as the published training draws, an answer of 32 tokens. */
export const USUAL_WORKLOAD: Workload = {
  ...{ seed: 1, batch: 1, textTokens: 256, masks: 5, height: 480, width: 640, newTokens: 32 },
};

export interface BenchConfig {
  readonly description: string;
  readonly model: ModelSizes;
  readonly workload: Workload;
}

/** @throws UserError naming file and key */
export function readBenchConfig(path: string): BenchConfig {
  const { description, model, workload } = readAs(BENCH_SCHEMA, withoutNulls(readJson5(path, 'the benchmark')), path);
  return { description, model: configForm(model.system, path).parse(model, path, ['model']), workload };
}
