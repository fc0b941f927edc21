/** What there is to know about a machine, gathered without judging it (`findings.ts` does). */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { type Installation, findInstallation } from '../engine/tensorflow-installation.js';
import { hasRealGpu, mayHaveGpu } from '../engine/webgpu-device.js';
import type { EngineName } from '../engine/engine.js';
import { messageOf } from '../errors.js';
import { type MachineMemory, containerProcessors, freeDisk, machineMemory, nvidiaDriver } from '../machine.js';
import { type EngineAnswer, type EngineRequest, unanswered } from '../setup/engine-answer.js';

export interface MachineFacts {
  readonly node: {
    readonly version: string;
    readonly needed: string;
    readonly platform: string;
    readonly arch: string;
  };
  readonly processor: {
    readonly model: string;
    readonly cores: number;
    /** Of a container; null for no limit. */
    readonly limit: number | null;
  };
  readonly memory: MachineMemory;
  readonly disk: { readonly folder: string; readonly free: number | null };
  readonly graphics: {
    /** False where the system shows that there is no card. */
    readonly mayBeThere: boolean;
    /** Whether WebGPU reaches a card that is none played by the processor. */
    readonly isReal: boolean;
    readonly nvidiaDriver: string | null;
  };
  /** What `gsva setup tensorflow` has left; a text where it cannot be read. */
  readonly tensorflow: Installation | string | null;
  readonly engines: Readonly<Record<EngineName, EngineAnswer>>;
  /** What a command would start. */
  readonly chosen: { readonly request: EngineRequest; readonly answer: EngineAnswer };
  /** Whether every engine was waited for, and its speed measured on large products. */
  readonly isThorough: boolean;
  /** Variables of the environment that act on GSVA, and no others. */
  readonly settings: readonly { readonly name: string; readonly value: string }[];
}

/** Variables of ours, and what they do. */
export const OWN_SETTINGS = ['GSVA_ENGINE', 'GSVA_DEVICE', 'GSVA_BLAS', 'GSVA_TENSORFLOW', 'GSVA_DEBUG'] as const;
/** Variables of others that change what or how fast an engine computes. */
const OTHER_SETTINGS = [
  'OPENBLAS_CORETYPE',
  'OPENBLAS_NUM_THREADS',
  'OMP_NUM_THREADS',
  'CUDA_VISIBLE_DEVICES',
  'TF_ENABLE_ONEDNN_OPTS',
  'VK_ICD_FILENAMES',
  'VK_DRIVER_FILES',
  'NODE_OPTIONS',
];
/** Those that can take long to start come last. */
const ENGINES = ['openblas', 'wasm', 'cpu', 'tensorflow', 'webgpu'] as const satisfies readonly EngineName[];

export interface FactSources {
  /** What the user asks for; --engine and --device, or the environment's. */
  readonly request: EngineRequest;
  /** @param seconds after which it is not waited for any longer; null for as long as any engine takes */
  readonly ask: (request: EngineRequest, seconds: number | null) => Promise<EngineAnswer>;
  /** All that takes long: engines that are slow to start, speeds of large products. */
  readonly isThorough: boolean;
  /** package.json of this project. */
  readonly packageFile: string;
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told of each engine before it is tried. */
  readonly note: (line: string) => void;
}

/** Seconds for all engines, and for one of them, where not everything is asked for: the answer comes in under ten. */
const MOST_SECONDS = { all: 7.5, one: 4 };

/**
 * One engine is tried after the other, so that they do not slow each other down. First comes what a command would start;
 * it is waited for where it is asked for by name.
 */
export async function gatherFacts(sources: FactSources): Promise<MachineFacts> {
  const { request, note, folder, isThorough } = sources;
  const graphicsFacts = hasRealGpu();
  const end = performance.now() + 1000 * MOST_SECONDS.all;
  const ask = async (asked: EngineRequest, isNamed = false): Promise<EngineAnswer> => {
    if (isThorough || isNamed) return sources.ask({ ...asked, isBrief: !isThorough }, null);
    const seconds = Math.min(MOST_SECONDS.one, (end - performance.now()) / 1000);
    return seconds > 0 ? sources.ask({ ...asked, isBrief: true }, seconds) : unanswered(0);
  };
  note(`trying ${request.engine} ...`);
  const chosen = await ask(request, request.engine !== 'auto' || (request.device ?? '') !== '');
  const answers = new Map<EngineName, EngineAnswer>();
  const taken = chosen.outcome === 'works' ? chosen.info.name : request.engine;
  for (const engine of ENGINES) {
    // On any device: whether the one that is asked for is there is `chosen`'s to say.
    const isAnswered = engine === taken && (request.device ?? '') === '';
    if (!isAnswered) note(`trying ${engine} ...`);
    answers.set(engine, isAnswered ? chosen : await ask({ engine, threads: request.threads, device: '' }));
  }
  return {
    node: { version: process.versions.node, ...platformFacts(sources.packageFile) },
    processor: {
      model: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      limit: containerProcessors(),
    },
    memory: machineMemory(),
    disk: { folder, free: freeDisk(folder) },
    graphics: { mayBeThere: mayHaveGpu(), isReal: await graphicsFacts, nvidiaDriver: nvidiaDriver() },
    tensorflow: installedTensorflow(),
    engines: Object.fromEntries(answers) as Record<EngineName, EngineAnswer>,
    chosen: { request, answer: chosen },
    isThorough,
    settings: settingsOf(sources.env),
  };
}

function platformFacts(packageFile: string): Omit<MachineFacts['node'], 'version'> {
  const { engines } = JSON.parse(readFileSync(packageFile, 'utf8')) as { readonly engines: { readonly node: string } };
  return { needed: engines.node.replace('>=', ''), platform: process.platform, arch: process.arch };
}

function installedTensorflow(): Installation | string | null {
  try {
    return findInstallation();
  } catch (error) {
    return messageOf(error);
  }
}

function settingsOf(env: FactSources['env']): MachineFacts['settings'] {
  return Object.keys(env)
    .filter((name) => name.startsWith('GSVA_') || OTHER_SETTINGS.includes(name))
    .sort()
    .map((name) => ({ name, value: env[name] ?? '' }))
    .filter(({ value }) => value !== '');
}
