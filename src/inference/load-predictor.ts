/** A trained model on the engine in use: the files of its folder, a network, and a way of asking. */
import { coded } from '../errors.js';
import { type ModelMeta, withWeights } from '../checkpoints/checkpoint-directory.js';
import { packedBytes, type Precision } from '../checkpoints/precision.js';
import { type ModelSource, sourceName } from './model-source.js';
import { openModel } from './open-model.js';
import { Predictor } from './predictor.js';

/** A model that was loaded, and what its folder says of it. */
export interface LoadedPredictor {
  readonly predictor: Predictor;
  readonly meta: ModelMeta;
  /** Bytes of the matrices that are kept in 16 bits; 0 where all are float32. */
  readonly packedBytes: number;
}

/** Why a model's answers mean nothing: it has yet to learn its decision tokens. Null for a trained one. */
export function untrainedText({ stage }: ModelMeta, name: string): string | null {
  if (!stage.startsWith('base')) return null;
  return (
    `${name} has not learned its decision tokens yet (its stage is ${stage}), so its answers mean nothing: ` +
    'it is what training starts from'
  );
}

/**
 * Loads a model on the engine in use.
 * @param rejectThreshold instead of the model's own
 * @throws UserError that names the file and what is wrong with it
 */
export function loadPredictor(
  source: ModelSource,
  precision: Precision = 'auto',
  rejectThreshold: number | null = null,
): Promise<LoadedPredictor> {
  return coded('bad-model', async () => {
    const { system, config, tensors, tokenizer, meta, weightsPath } = await openModel(source);
    const network = withWeights(system.build(config), tensors, weightsPath, precision);
    const { conversation, variant, knows = null } = meta;
    const predictor = new Predictor(system, network, tokenizer, conversation, {
      rejectThreshold: rejectThreshold ?? meta.rejectThreshold ?? null,
      model: { name: sourceName(source), knows },
      ...(variant === undefined ? {} : { variant }),
    });
    return { predictor, meta, packedBytes: packedBytes(network) };
  });
}
