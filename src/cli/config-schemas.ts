/** The JSON schemas of configs/schema, by file name; `npm run schema` writes them. */
import { BENCH_SCHEMA } from '../benchmark/bench-config.js';
import { MODEL_SCHEMA } from '../systems/shared/model-config.js';
import { editorSchema } from '../editor-schema.js';
import { object } from '../schema.js';
import { EXPERIMENT_SCHEMA } from '../training/config/experiment-schema.js';
import { FILE_SCHEMA } from '../training/config/config-overrides.js';

/** Ablation files are training configurations that extend configs/ablations/base.json5. */
export function configSchemas(): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  const training = object({ ...FILE_SCHEMA.shape, ...EXPERIMENT_SCHEMA.shape });
  return {
    'training.schema.json': editorSchema(training, {
      title: 'Training run, or what an ablation changes',
      isPartial: true,
    }),
    'bench.schema.json': editorSchema(BENCH_SCHEMA, { title: 'Benchmark', isPartial: false }),
    'model.schema.json': editorSchema(MODEL_SCHEMA, { title: "A model's config.json", isPartial: false }),
  };
}
