/** Facts about a machine, gathered without judgement (`findings.ts` judges). */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { type Installation, findInstallation } from '../engine/tensorflow-installation.js';
import { hasRealGpu, mayHaveGpu } from '../engine/webgpu-device.js';
import type { EngineName } from '../engine/engine.js';
import { messageOf } from '../errors.js';
import { containerProcessors, freeDisk, machineMemory, nvidiaDriver } from '../machine.js';
import { type EngineAnswer, type EngineRequest, unanswered } from '../setup/engine-answer.js';

export type MachineFacts = Awaited<ReturnType<typeof gatherFacts>>;

/** Our variables, and their effects. */
export const OWN_SETTINGS = ['GSVA_ENGINE', 'GSVA_DEVICE', 'GSVA_BLAS', 'GSVA_TENSORFLOW', 'GSVA_DEBUG'] as const;
/** Variables of others that change an engine's behaviour or speed. */
const OTHER_SETTINGS = [
  ...['OPENBLAS_CORETYPE', 'OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS', 'CUDA_VISIBLE_DEVICES'],
  ...['TF_ENABLE_ONEDNN_OPTS', 'VK_ICD_FILENAMES', 'VK_DRIVER_FILES', 'NODE_OPTIONS'],
];
/** Engines that can be slow to start come last. */
const ENGINES = ['openblas', 'wasm', 'cpu', 'tensorflow', 'webgpu'] as const satisfies readonly EngineName[];

interface FactSources {
  /** The user's request: --engine and --device, or the environment's. */
  readonly request: EngineRequest;
  /** @param seconds of waiting; null for as long as any engine takes */
  readonly ask: (request: EngineRequest, seconds: number | null) => Promise<EngineAnswer>;
  /** Includes slow parts: engines that are slow to start, speeds of large products. */
  readonly isThorough: boolean;
  /** package.json of this project. */
  readonly packageFile: string;
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Notified of each engine before it is tried. */
  readonly note: (line: string) => void;
}

/** Seconds for all engines, and for one, in a brief run: the answer comes in under ten. */
const MOST_SECONDS = { all: 7.5, one: 4 };

/**
 * Engines are tried one after another, so that they do not slow each other down. The one that a command would start
 * comes first, and is waited for where it was requested by name.
 */
export async function gatherFacts(sources: FactSources) {
  const { request, note, folder, isThorough, env } = sources;
  const graphicsFacts = hasRealGpu();
  const end = performance.now() + 1000 * MOST_SECONDS.all;
  const ask = async (asked: EngineRequest, isNamed = false): Promise<EngineAnswer> => {
    if (isThorough || isNamed) return sources.ask({ ...asked, isBrief: !isThorough }, null);
    const seconds = Math.min(MOST_SECONDS.one, (end - performance.now()) / 1000);
    return seconds > 0 ? sources.ask({ ...asked, isBrief: true }, seconds) : unanswered(0);
  };
  note(`trying ${request.engine} ...`);
  const chosen = await ask(request, request.engine !== 'auto' || (request.device ?? '') !== '');
  const answers: [EngineName, EngineAnswer][] = [];
  const taken = chosen.outcome === 'works' ? chosen.info.name : request.engine;
  for (const engine of ENGINES) {
    // On any device: whether the one that is asked for is there is `chosen`'s to say.
    const isAnswered = engine === taken && (request.device ?? '') === '';
    if (!isAnswered) note(`trying ${engine} ...`);
    answers.push([engine, isAnswered ? chosen : await ask({ engine, threads: request.threads, device: '' })]);
  }
  const { engines } = JSON.parse(readFileSync(sources.packageFile, 'utf8')) as {
    readonly engines: { readonly node: string };
  };
  const settings = Object.entries(env).map(([name, value = '']) => ({ name, value }));
  return {
    node: {
      version: process.versions.node,
      needed: engines.node.replace('>=', ''),
      platform: process.platform as string,
      arch: process.arch as string,
    },
    processor: {
      model: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      /** Limit of a container; null for none. */
      limit: containerProcessors(),
    },
    memory: machineMemory(),
    disk: { folder, free: freeDisk(folder) },
    graphics: {
      /** False where the system shows that there is no card. */
      mayBeThere: mayHaveGpu(),
      /** Whether WebGPU finds a hardware adapter (not SwiftShader or llvmpipe). */
      isReal: await graphicsFacts,
      nvidiaDriver: nvidiaDriver(),
    },
    /** The installation by `gsva setup tensorflow`; a text where it cannot be read. */
    tensorflow: installedTensorflow(),
    engines: Object.fromEntries(answers) as Record<EngineName, EngineAnswer>,
    /** The engine that a command would start. */
    chosen: { request, answer: chosen },
    /** Whether every engine was waited for, and its speed measured on large products. */
    isThorough,
    /** Environment variables that act on GSVA, and no others. */
    settings: settings
      .filter(({ name, value }) => value !== '' && (name.startsWith('GSVA_') || OTHER_SETTINGS.includes(name)))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function installedTensorflow(): Installation | string | null {
  try {
    return findInstallation();
  } catch (error) {
    return messageOf(error);
  }
}
