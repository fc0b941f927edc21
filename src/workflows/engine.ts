/** The engine and the model of a workflow: started and loaded with notes, so that every log holds what computed it. */
import type { Precision } from '../checkpoints/precision.js';
import { describeEngine, type EngineInfo, type EngineOptions, startEngine } from '../engine/engine.js';
import { UserError } from '../errors.js';
import { shareEngine } from '../inference/engine-in-use.js';
import { loadPredictor, untrainedText } from '../inference/open-model.js';
import { type ModelSource, packagedSource } from '../inference/model-source.js';
import type { Predictor } from '../inference/predictor.js';
import { bytesText } from '../machine.js';
import type { Watch } from './watch.js';

/** Options of the workflows that ask a model; defaults as those of `evaluate`. */
export interface AskOptions extends Watch {
  readonly model?: ModelSource;
  readonly precision?: Precision;
  readonly rejectThreshold?: number;
  readonly engine?: EngineOptions;
}

/** @param options default: the fastest engine, unless GSVA_ENGINE and GSVA_DEVICE name others */
export async function startNoted(options: EngineOptions | undefined, { onNote }: Watch): Promise<EngineInfo> {
  return noted(await startEngine(options), onNote);
}

/**
 * Does work on the engine that the loaded models of this process use, or starts one and frees it afterwards.
 * @throws UserError with the code 'engine' where loaded models use another one
 */
export async function onEngine<T>(
  { engine = {}, onNote }: Watch & { readonly engine?: EngineOptions | undefined },
  work: (engine: EngineInfo) => Promise<T>,
): Promise<T> {
  const share = await shareEngine(engine);
  try {
    return await work(noted(share.info, onNote));
  } finally {
    share.end();
  }
}

function noted(info: EngineInfo, onNote: Watch['onNote']): EngineInfo {
  onNote?.(describeEngine(info));
  if (info.notice !== null) onNote?.(info.notice);
  return info;
}

/** A model on the engine in use. @returns also why its answers mean nothing; null for a trained one */
export async function loadNoted({ model, precision, rejectThreshold, onNote }: AskOptions) {
  const loaded = await loadPredictor(packagedSource(model), precision, rejectThreshold);
  if (loaded.packedBytes > 0) onNote?.(packedNote(loaded.packedBytes));
  return { ...loaded, untrained: untrainedText(loaded.meta, loaded.predictor.model.name) };
}

/** @param doing for the error: 'Segmenting' @throws UserError for a model that is only a start for training */
export async function loadTrained(doing: string, options: AskOptions): Promise<Predictor> {
  const { predictor, untrained } = await loadNoted(options);
  if (untrained === null) return predictor;
  predictor.dispose();
  throw new UserError(`${doing}: ${untrained}. Name a trained model as --model.`);
}

/** @param bytes of large matrices in 16 bits */
export function packedNote(bytes: number): string {
  return `weights: ${bytesText(bytes)} kept in 16 bits, converted to float32 block by block`;
}
