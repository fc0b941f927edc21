/** The engine of a workflow: started, and named in a note, so that every log holds what computed it. */
import { describeEngine, type EngineInfo, type EngineOptions, startEngine } from '../engine/engine.js';
import { shareEngine } from '../inference/engine-in-use.js';
import type { Watch } from './watch.js';

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
