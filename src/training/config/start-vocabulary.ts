/** Tokenizer of a run, with the tokens of its system, and the model with a row for each of them. */
import { Tokenizer } from '../../data/text/tokenizer.js';
import type { System } from '../../systems/system.js';
import type { ExperimentConfig } from './experiment-config.js';

export interface StartVocabulary {
  readonly config: ExperimentConfig;
  readonly tokenizer: Tokenizer;
}

export function startVocabulary(system: System, written: ExperimentConfig): StartVocabulary {
  const { model } = written;
  const { added, addedTokenSpaces } = system.vocabulary(model, written);
  const tokenizer = Tokenizer.fromDirectory(written.tokenizer, { addedTokenSpaces });
  tokenizer.addTokens(added);
  if (system.grow === undefined) return { config: written, tokenizer };
  return {
    config: { ...written, model: system.grow(model, written, tokenizer) as ExperimentConfig['model'] },
    tokenizer,
  };
}
