/** Starting the engine for a verb: what was chosen is said on stderr, so that every log tells what computed it. */
import type { EngineInfo } from '../engine/engine.js';
import type { GlobalArguments } from './options.js';
import type { VerbContext } from './verb.js';

/** Starts the engine that `--engine`, `--device` and `--threads` ask for. */
export async function startEngineFor(
  args: Pick<GlobalArguments, 'engine' | 'device' | 'threads'>,
  context: Pick<VerbContext, 'note'>,
): Promise<EngineInfo> {
  // Loaded here, so that help, usage errors and verbs without tensors do not wait for TensorFlow.js.
  const { describeEngine, startEngine } = await import('../engine/engine.js');
  const info = await startEngine({ engine: args.engine, device: args.device, threads: args.threads });
  context.note(describeEngine(info));
  if (info.notice !== null) context.note(info.notice);
  return info;
}
