/** A command under mpirun or srun: joins the job, and gives each rank its share of the machine. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineOptions } from '../engine/engine.js';
import { messageOf } from '../errors.js';
import { type Communicator, SingleProcess } from '../training/distributed/communicator.js';
import { gpusOfMachine, launchOf, shareOf } from '../training/distributed/launch.js';
import { type Hardware, hardwareOf } from './options/shared.js';
import { Output } from './output.js';
import type { CommandContext } from './command.js';

/** Rank 0 reports another rank's failure before that rank's end takes the job down. */
const TO_REPORT_MS = 700;

/** Work as part of the launched job or alone; a rank silent for `rankTimeout` seconds counts as hung. */
export async function asRank(
  hardware: Hardware,
  rankTimeout: number,
  context: CommandContext,
  work: (communicator: Communicator, engine: EngineOptions, context: CommandContext) => Promise<number>,
): Promise<number> {
  const launch = launchOf(process.env);
  if (launch === null) return work(new SingleProcess(), hardwareOf(hardware), context);
  const { MpiCommunicator } = await import('../training/distributed/mpi-communicator.js');
  const communicator = await MpiCommunicator.start({ family: launch.family, timeoutSeconds: rankTimeout });
  const { rank, size, hostName, library } = communicator;
  if (rank === 0) context.onNote(`${size} ranks by ${library}`);
  try {
    const engine = shareOf(hardware, launch, process.env, gpusOfMachine());
    // Rank 0 prints for all; the others' notes are printed under their name.
    const quiet: CommandContext = {
      ...context,
      output: new Output({ write: () => true }, false, context.output.colors),
      onNote: (line) => {
        context.onNote(`rank ${rank} on ${hostName}: ${line}`);
      },
      onProgress: () => undefined,
    };
    const code = await work(communicator, engine, rank === 0 ? context : quiet);
    await communicator.close();
    return code;
  } catch (error) {
    communicator.failed(messageOf(error));
    if (rank > 0) await sleep(TO_REPORT_MS);
    throw error;
  }
}
