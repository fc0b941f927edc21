/** What there is to know about a machine, gathered without judging it (`findings.ts` does). */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { type Installation, findInstallation } from '../engine/tensorflow-installation.js';
import { hasRealGpu, mayHaveGpu } from '../engine/webgpu-device.js';
import type { EngineName } from '../engine/engine.js';
import { messageOf } from '../errors.js';
import { type MachineMemory, containerProcessors, freeDisk, machineMemory, nvidiaDriver } from '../machine.js';
import type { EngineAnswer, EngineRequest } from '../setup/engine-answer.js';

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
const ENGINES = ['tensorflow', 'webgpu', 'openblas', 'wasm', 'cpu'] as const satisfies readonly EngineName[];

export interface FactSources {
  /** What the user asks for; --engine and --device, or the environment's. */
  readonly request: EngineRequest;
  readonly ask: (request: EngineRequest) => Promise<EngineAnswer>;
  /** package.json of this project. */
  readonly packageFile: string;
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told of each engine before it is tried. */
  readonly note: (line: string) => void;
}

/** One engine is tried after the other, so that they do not slow each other down. */
export async function gatherFacts(sources: FactSources): Promise<MachineFacts> {
  const { request, ask, note, folder } = sources;
  const answers = new Map<EngineName, EngineAnswer>();
  for (const engine of ENGINES) {
    note(`trying ${engine} ...`);
    // On any device: whether the one that is asked for is there is `chosen`'s to say.
    answers.set(engine, await ask({ engine, threads: request.threads, device: '' }));
  }
  const isAnswered = request.engine !== 'auto' && (request.device ?? '') === '';
  const chosen = (isAnswered ? answers.get(request.engine) : undefined) ?? (await ask(request));
  return {
    node: { version: process.versions.node, ...platformFacts(sources.packageFile) },
    processor: {
      model: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      limit: containerProcessors(),
    },
    memory: machineMemory(),
    disk: { folder, free: freeDisk(folder) },
    graphics: { mayBeThere: mayHaveGpu(), isReal: await hasRealGpu(), nvidiaDriver: nvidiaDriver() },
    tensorflow: installedTensorflow(),
    engines: Object.fromEntries(answers) as Record<EngineName, EngineAnswer>,
    chosen: { request, answer: chosen },
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
