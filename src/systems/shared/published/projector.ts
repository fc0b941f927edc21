/** The form of φ, which configurations of published models leave out, by the names of its weights. */
import type { ProjectorType } from '../../../config.js';

/** @returns null where there are no weights of φ: it is the identity, or this is no LLaVA */
export function projectorOfWeights(names: Iterable<string>): ProjectorType | null {
  const all = [...names];
  if (all.some((name) => /(^|\.)model\.mm_projector\.weight$/.test(name))) return 'linear';
  return all.some((name) => /(^|\.)model\.mm_projector\.0\.weight$/.test(name)) ? 'mlp2x_gelu' : null;
}
