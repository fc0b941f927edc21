/**
 * The engine of the models of this process: TensorFlow.js computes with one backend at a time, so all models that are
 * loaded share one. It is free to be another when the last of them was disposed.
 */
import { checkEngineOptions, type EngineInfo, type EngineOptions, startEngine } from '../engine/engine.js';
import * as tf from '../engine/tf.js';
import { coded, UserError } from '../errors.js';

let current: { readonly options: EngineOptions; readonly info: Promise<EngineInfo>; models: number } | null = null;

/** A model's share in the engine. */
export interface EngineShare {
  readonly info: EngineInfo;
  /** @throws UserError where somebody has put another backend in its place */
  check(): void;
  /** Ends the share; once. */
  end(): void;
}

/**
 * Starts the engine for a model, or joins the one in use.
 * @throws UserError with the code 'engine' where other models use another one; UsageError for a value that is none
 */
export async function shareEngine(options: EngineOptions): Promise<EngineShare> {
  checkEngineOptions(options);
  current ??= { options, info: coded('engine', () => startEngine(options)), models: 0 };
  const shared = current;
  shared.models++;
  const end = (): void => {
    shared.models--;
    if (shared.models === 0 && current === shared) current = null;
  };
  try {
    const info = await shared.info;
    const differs = difference(options, shared.options, info);
    if (differs !== null) {
      throw new UserError(
        `Loading a model on ${differs}: models that are loaded already compute on ${engineWords(info)}, and all models of ` +
          'a process share one engine. Dispose of them first, leave engine, threads and device out, or use another process.',
        'engine',
      );
    }
    const backend = tf.getBackend();
    const check = (): void => {
      if (tf.getBackend() === backend) return;
      throw new UserError(
        `The model was loaded on TensorFlow.js's backend "${backend}", and "${tf.getBackend()}" is in its place now; ` +
          'dispose of the model and load it again, or leave the backend as it is.',
        'engine',
      );
    };
    return { info, check, end };
  } catch (error) {
    end();
    throw error;
  }
}

/** The requested setting, in words, where another one runs. */
function difference(asked: EngineOptions, started: EngineOptions, info: EngineInfo): string | null {
  const { engine, threads, device } = asked;
  if (engine !== undefined && ![info.name, started.engine, 'auto'].includes(engine)) return `the engine ${engine}`;
  if (threads !== undefined && threads !== info.threads && threads !== started.threads) return `${threads} threads`;
  const onProcessor = ['openblas', 'wasm', 'cpu'].includes(info.name) ? 'cpu' : undefined;
  if (device !== undefined && device !== started.device && device !== onProcessor) return `the device ${device}`;
  return null;
}

function engineWords({ name, threads }: EngineInfo): string {
  return threads === 0 ? name : `${name} with ${threads} thread${threads === 1 ? '' : 's'}`;
}
