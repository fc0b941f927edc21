/** The share of a machine that each of its ranks computes with. */
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { EngineOptions } from '../../engine/engine.js';
import type { Environment, Launch } from './launch.js';

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
