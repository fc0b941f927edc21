/** The engine of a workflow: started, and named in a note, so that every log holds what computed it. */
import { describeEngine, type EngineInfo, type EngineOptions, startEngine } from '../engine/engine.js';
import type { Watch } from './watch.js';

/** @param options default: the fastest engine, unless GSVA_ENGINE and GSVA_DEVICE name others */
export async function startNoted(options: EngineOptions | undefined, { onNote }: Watch): Promise<EngineInfo> {
  const info = await startEngine(options);
  onNote?.(describeEngine(info));
  if (info.notice !== null) onNote?.(info.notice);
  return info;
}
