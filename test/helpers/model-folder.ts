/** A GSVA model as a folder, written and read whole. */
import { modelConfigToJson } from '../../src/config.js';
import {
  type ModelMeta,
  openModelDirectory,
  withWeights,
  type WriteOptions,
  writeModelDirectory,
} from '../../src/checkpoints/checkpoint-directory.js';
import type { Precision } from '../../src/checkpoints/precision.js';
import { LlavaSam } from '../../src/systems/shared/llava-sam.js';

export function writeModel(dir: string, gsva: LlavaSam, options: Omit<WriteOptions, 'config'>): Promise<void> {
  return writeModelDirectory(dir, gsva, { config: modelConfigToJson(gsva.config), ...options });
}

export function readModel(dir: string, precision?: Precision): { readonly gsva: LlavaSam; readonly meta: ModelMeta } {
  const { config, meta, tensors, weightsPath } = openModelDirectory(dir);
  return { gsva: withWeights(new LlavaSam(config), tensors, weightsPath, precision), meta };
}
