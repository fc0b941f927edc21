/** Whether what was planned has room on a machine. */
import { bytesText, type MachineMemory } from '../machine.js';
import type { EnginePlan, PeakBytes } from './memory-plan.js';

/** WASM's memory ends at 4 GiB, a quarter more than tensors fill of it. */
const WASM_BYTES = (4 / 1.26) * 2 ** 30;

/**
 * @returns null where it fits, else what is lacking
 * @param engine whose plan it is; of a GPU only the process in main memory can be judged here
 */
export function lacking(engine: EnginePlan['engine'], peak: PeakBytes, memory: MachineMemory): string | null {
  if ((engine === 'openblas' || engine === 'wasm') && peak.tensors > WASM_BYTES) return 'over the 4 GiB of WASM';
  if (peak.process > memory.available) return `${bytesText(peak.process - memory.available)} too much`;
  return null;
}
