/** Whether there is memory for a model: by engine, with weights in float32 and in 16 bits. */
import { lacking } from './fits.js';
import { type InferenceCount, inferencePeak, type PlannedPrecision } from './inference-plan.js';
import type { PlannedEngine } from './memory-plan.js';
import { bytesText, type MachineMemory } from '../machine.js';

/** Those that compute on the processor; on a GPU all tensors lie on the card. */
const ENGINES = ['tensorflow', 'openblas', 'wasm'] as const satisfies readonly PlannedEngine[];

export interface EngineNeed {
  readonly engine: PlannedEngine;
  readonly precision: PlannedPrecision;
  /** Bytes of the process at its peak: one image, its question, the answer. */
  readonly process: number;
  readonly tensors: number;
  /** Null where it fits. */
  readonly lacking: string | null;
}

export interface ModelNeed {
  readonly engines: readonly EngineNeed[];
  /** The engine that can do with least, of each precision. */
  readonly least: Readonly<Record<PlannedPrecision, EngineNeed>>;
  /** The better precision that fits; null where none does. */
  readonly fits: PlannedPrecision | null;
}

export function needOf(count: InferenceCount, memory: MachineMemory): ModelNeed {
  const of = (precision: PlannedPrecision): EngineNeed[] =>
    ENGINES.map((engine) => {
      const peak = inferencePeak(count, engine, precision);
      return { engine, precision, ...peak, lacking: lacking(engine, peak, memory) };
    });
  const [f32, packed] = [of('f32'), of('packed')];
  const least = { f32: leastOf(f32), packed: leastOf(packed) };
  const fits = least.f32.lacking === null ? 'f32' : least.packed.lacking === null ? 'packed' : null;
  return { engines: [...f32, ...packed], least, fits };
}

/** The smallest need that fits; needs that no memory would help come last. */
function leastOf(needs: readonly EngineNeed[]): EngineNeed {
  const rank = ({ lacking: fault, process }: EngineNeed): number =>
    process + (fault === null ? 0 : fault.includes('WASM') ? 2e18 : 1e18);
  return needs.reduce((best, need) => (rank(need) < rank(best) ? need : best));
}

export function fitsText({ least, fits }: ModelNeed): string {
  if (fits === 'f32') return 'fits';
  if (fits === 'packed') return 'fits in 16 bits';
  return `does not fit, in 16 bits ${least.packed.lacking ?? ''}`;
}

export function memoryText(memory: MachineMemory, isGiven: boolean): string {
  if (isGiven) return `--memory: ${bytesText(memory.total)}`;
  const container = memory.containerLimit === null ? '' : `, ${bytesText(memory.containerLimit)} for this container`;
  return `here: ${bytesText(memory.total)} of memory${container}, ${bytesText(memory.available)} available`;
}
