import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { EngineOptions } from '../../engine/engine.js';

/** Launchers (mpirun, mpiexec, srun), by the environment of the processes that they start. */

export type Environment = Readonly<Record<string, string | undefined>>;

/** A process among those of its job, as its launcher numbers them. */
export interface Launch {
  /** Which family of MPI libraries the launcher belongs to, null where it serves both (srun). */
  readonly family: 'openmpi' | 'mpich' | null;
  readonly size: number;
  /** Number of this process on its machine, and how many there are on it. */
  readonly localRank: number;
  readonly localSize: number;
}

/** Names of the variables; the first set that is there counts. */
const LAUNCHERS = [
  {
    family: 'openmpi',
    size: 'OMPI_COMM_WORLD_SIZE',
    localRank: 'OMPI_COMM_WORLD_LOCAL_RANK',
    localSize: 'OMPI_COMM_WORLD_LOCAL_SIZE',
  },
  // Inside `srun --mpi=pmi2` or pmix; a batch script itself has no SLURM_STEP_NUM_TASKS of more than 1.
  { family: null, size: 'SLURM_STEP_NUM_TASKS', localRank: 'SLURM_LOCALID', localSize: 'SLURM_STEP_TASKS_PER_NODE' },
  { family: 'mpich', size: 'PMI_SIZE', localRank: 'MPI_LOCALRANKID', localSize: 'MPI_LOCALNRANKS' },
] as const;

/** How this process was launched; null where it is on its own. */
export function launchOf(environment: Environment): Launch | null {
  for (const { family, size, localRank, localSize } of LAUNCHERS) {
    const count = numberIn(environment[size]) ?? 1;
    if (count < 2) continue;
    return {
      family,
      size: count,
      localRank: numberIn(environment[localRank]) ?? 0,
      localSize: Math.max(1, numberIn(environment[localSize]) ?? count),
    };
  }
  return null;
}

/** The number that a text begins with: Slurm writes "8(x4)" for eight tasks on each of four machines. */
function numberIn(text: string | undefined): number | null {
  const digits = /^\d{1,9}/.exec(text ?? '')?.[0];
  return digits === undefined ? null : Number(digits);
}

/** The ranks of a machine divide its processors, and take its GPUs in turn; what the user asked for stays. */
export function shareOf(
  hardware: EngineOptions,
  launch: Launch,
  environment: Environment,
  gpusOnMachine: number,
): EngineOptions {
  const { engine } = hardware;
  const { localRank, localSize } = launch;
  const threads = hardware.threads ?? Math.max(1, Math.floor(availableParallelism() / localSize));
  const visible = environment.CUDA_VISIBLE_DEVICES;
  const gpus = visible === undefined ? gpusOnMachine : visible.split(',').filter((id) => /^[^-\s]/.test(id)).length;
  const isChosen = hardware.device !== undefined || (environment.GSVA_DEVICE ?? '') !== '';
  const device = isChosen || gpus < 2 ? hardware.device : `gpu:${localRank % gpus}`;
  return { engine, device, threads };
}

export function gpusOfMachine(): number {
  try {
    return readdirSync('/proc/driver/nvidia/gpus').length;
  } catch {
    return 0; // no NVIDIA driver
  }
}
