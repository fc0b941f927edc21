/** The form of φ, which configurations of published models leave out, by the names of its weights. */
import type { OpenedDirectory } from '../../../checkpoints/checkpoint-directory.js';
import type { ProjectorType } from '../../../config.js';
import { UserError } from '../../../errors.js';
import type { WeightNames } from '../../system.js';
import { type ModelConfig, readModelSizes, withProjector } from '../model-config.js';

/** @returns null where there are no weights of φ: it is the identity, or this is no LLaVA */
export function projectorOfWeights(names: Iterable<string>): ProjectorType | null {
  const all = [...names];
  if (all.some((name) => /(^|\.)model\.mm_projector\.weight$/.test(name))) return 'linear';
  return all.some((name) => /(^|\.)model\.mm_projector\.0\.weight$/.test(name)) ? 'mlp2x_gelu' : null;
}

/**
 * Value of config.json, completed by the weights where it has no φ.
 * @param source path of config.json, for errors
 * @throws UserError where there are no weights of φ, and the widths that it connects differ
 */
export function readModelConfig(json: unknown, source: string, weights?: WeightNames): ModelConfig {
  const sizes = readModelSizes(json, source);
  if (weights === undefined) return withProjector(sizes);
  const projector = sizes.projector ?? projectorOfWeights(weights.names) ?? 'identity';
  const [from, to] = [sizes.clip.hiddenSize, sizes.llm.hiddenSize];
  if (projector !== 'identity' || from === to) return { ...sizes, projector };
  throw new UserError(
    `${weights.source} has no weights of the projector (mm_projector), and without one the width of CLIP (${from}) would ` +
      `have to be that of LLaMA (${to}). Use the whole checkpoint.`,
  );
}

/** Sizes of an opened model folder. */
export function configOf({ json, configPath, tensors, weightsPath }: Omit<OpenedDirectory, 'meta'>): ModelConfig {
  return readModelConfig(json, configPath, { names: tensors.keys(), source: weightsPath });
}
