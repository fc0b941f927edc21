/** A GSVA model as a folder, written and read whole. */
import type { GroundingModel } from '../../src/systems/system.js';
import { type ModelConfig, modelConfigToJson } from '../../src/systems/shared/model-config.js';
import {
  type ModelMeta,
  openModelDirectory,
  withWeights,
  type WriteOptions,
  writeModelDirectory,
} from '../../src/checkpoints/checkpoint-directory.js';
import type { Precision } from '../../src/checkpoints/precision.js';
import { configOf } from '../../src/systems/shared/model-config.js';
import { LlavaSam } from '../../src/systems/shared/llava-sam.js';

export function writeModel(dir: string, gsva: GroundingModel, options: Omit<WriteOptions, 'config'>): Promise<void> {
  return writeModelDirectory(dir, gsva, { config: modelConfigToJson(gsva.config as ModelConfig), ...options });
}

export function readModel(dir: string, precision?: Precision): { readonly gsva: LlavaSam; readonly meta: ModelMeta } {
  const opened = openModelDirectory(dir);
  const { meta, tensors, weightsPath } = opened;
  return { gsva: withWeights(new LlavaSam(configOf(opened)), tensors, weightsPath, precision), meta };
}
