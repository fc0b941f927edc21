/** The recorded SELF1E (random weights) with its tokenizer: a whole predictor. */
import type { Predictor } from '../../src/inference/predictor.js';
import type { Self1eConfig } from '../../src/systems/self1e/config.js';
import { Self1e } from '../../src/systems/self1e/model.js';
import { Self1eCase } from '../../src/verification/self1e-case.js';
import { recordedPredictor } from '../../src/verification/self1e-texts.js';
import { fixture } from './fixtures.js';

/** @param tiles most tiles of a picture, and whether several are followed by a thumbnail */
export function self1ePredictor(tiles: Self1eConfig['tiles'] = { most: 1, thumbnail: false }): Predictor {
  const recorded = new Self1eCase(fixture('self1e-tiny'));
  const model = recorded.model();
  return recordedPredictor(recorded.buildModel({ ...model, config: { ...model.config, tiles } }), recorded);
}

export function self1eOf({ network }: Predictor): Self1e {
  if (network instanceof Self1e) return network;
  throw new Error('the network is not a Self1e');
}
