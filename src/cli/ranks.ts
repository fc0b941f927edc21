/** A verb under mpirun or srun: joins the job, and gives each rank its share of the machine. */
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.js';
import { type Communicator, SingleProcess } from '../training/distributed/communicator.js';
import { type Environment, type Launch, launchOf } from '../training/distributed/launch.js';
import type { GlobalArguments } from './options.js';
import { Output } from './output.js';
import { ProgressBar } from './progress.js';
import { finiteNumber } from './values.js';
import type { VerbContext } from './verb.js';

type Hardware = Pick<GlobalArguments, 'engine' | 'device' | 'threads'>;

/** Rank 0 reports another rank's failure before that rank's end takes the job down. */
const TO_REPORT_MS = 700;

export const RANK_TIMEOUT_OPTION = {
  describe: 'Under mpirun: end when a process shows no sign of life or progress for so many seconds',
  requiresArg: true,
  default: 600,
  coerce: finiteNumber('rank-timeout', { min: 1, max: 86_400 }),
} as const;

/** What a rank works with. */
export interface RankOfJob {
  readonly communicator: Communicator;
  readonly hardware: Hardware;
  readonly context: VerbContext;
}

/**
 * Does the work as a part of the job that this process was launched in, or on its own.
 * @param rankTimeout seconds without a sign of life or progress after which a rank counts as hung
 */
export async function asRank(
  hardware: Hardware,
  rankTimeout: number,
  context: VerbContext,
  work: (rank: RankOfJob) => Promise<number>,
): Promise<number> {
  const launch = launchOf(process.env);
  if (launch === null) return work({ communicator: new SingleProcess(), hardware, context });
  const { MpiCommunicator } = await import('../training/distributed/mpi-communicator.js');
  const communicator = await MpiCommunicator.start({ family: launch.family, timeoutSeconds: rankTimeout });
  const { rank, size, hostName, library } = communicator;
  if (rank === 0) context.note(`${size} ranks by ${library}`);
  try {
    const code = await work({
      communicator,
      hardware: shareOf(hardware, launch, process.env, gpusOfMachine()),
      context: rank === 0 ? context : quiet(context, `rank ${rank} on ${hostName}`),
    });
    await communicator.close();
    return code;
  } catch (error) {
    communicator.failed(messageOf(error));
    if (rank > 0) await sleep(TO_REPORT_MS);
    throw error;
  }
}

/** The ranks of a machine divide its processors, and take its GPUs in turn; what the user asked for stays. */
export function shareOf(hardware: Hardware, launch: Launch, environment: Environment, gpusOnMachine: number): Hardware {
  const { engine } = hardware;
  const { localRank, localSize } = launch;
  const threads = hardware.threads ?? Math.max(1, Math.floor(availableParallelism() / localSize));
  const visible = environment.CUDA_VISIBLE_DEVICES;
  const gpus = visible === undefined ? gpusOnMachine : visible.split(',').filter((id) => /^[^-\s]/.test(id)).length;
  const isChosen = hardware.device !== undefined || (environment.GSVA_DEVICE ?? '') !== '';
  const device = isChosen || gpus < 2 ? hardware.device : `gpu:${localRank % gpus}`;
  return { engine, device, threads };
}

function gpusOfMachine(): number {
  try {
    return readdirSync('/proc/driver/nvidia/gpus').length;
  } catch {
    return 0; // no NVIDIA driver
  }
}

const nowhere = new Writable({
  write: (_chunk, _encoding, done) => {
    done();
  },
});

/** Rank 0 speaks for all; of the others one hears what is theirs alone, under their name. */
function quiet(context: VerbContext, name: string): VerbContext {
  return {
    ...context,
    output: new Output(nowhere, false, context.output.colors),
    note: (line) => {
      context.note(`${name}: ${line}`);
    },
    startProgress: (label, total) => ProgressBar.start(nowhere, label, total, { drawBar: false }),
  };
}
