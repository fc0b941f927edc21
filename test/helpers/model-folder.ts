/** A GSVA model as a folder, written and read whole. */
import { join } from 'node:path';
import { writeFileAtomic } from '../../src/io/atomic/atomic-file.js';
import type { GroundingModel } from '../../src/systems/system.js';
import { configOf, type ModelConfig, modelConfigToJson } from '../../src/systems/shared/model-config.js';
import {
  modelDirectoryFiles,
  type ModelMeta,
  openModelDirectory,
  withWeights,
  type WriteOptions,
} from '../../src/checkpoints/checkpoint-directory.js';
import type { Precision } from '../../src/checkpoints/precision.js';
import { LlavaSam } from '../../src/systems/shared/llava-sam.js';

export async function writeModel(
  dir: string,
  gsva: GroundingModel,
  options: Omit<WriteOptions, 'config'>,
): Promise<void> {
  const config = modelConfigToJson(gsva.config as ModelConfig);
  const files = await modelDirectoryFiles(gsva, { config, ...options });
  for (const { name, pieces } of files) writeFileAtomic(join(dir, name), pieces);
}

export function readModel(dir: string, precision?: Precision): { readonly gsva: LlavaSam; readonly meta: ModelMeta } {
  const opened = openModelDirectory(dir);
  const { meta, tensors, weightsPath } = opened;
  return { gsva: withWeights(new LlavaSam(configOf(opened)), tensors, weightsPath, precision), meta };
}
