/** The form of φ, which configurations of published models leave out, by the names of its weights. */
import type { ProjectorType } from '../config.js';
import { nameInModel } from './weights.js';

/** @returns null where there are no weights of φ: it is the identity, or this is no LLaVA */
export function projectorOfWeights(names: Iterable<string>): ProjectorType | null {
  const found = new Set([...names].map(nameInModel));
  if (found.has('model.mm_projector.weight')) return 'linear';
  return found.has('model.mm_projector.0.weight') ? 'mlp2x_gelu' : null;
}
