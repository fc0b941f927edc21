/** How a process learns from its environment that it is one of several. */
import { describe, expect, test } from '@jest/globals';
import { type Environment, launchOf } from '../../../src/training/distributed/launch.js';

describe('launchOf', () => {
  test.each<[string, Environment, ReturnType<typeof launchOf>]>([
    ['no launcher', {}, null],
    ['mpirun -np 1', { OMPI_COMM_WORLD_SIZE: '1' }, null],
    [
      'Open MPI',
      { OMPI_COMM_WORLD_SIZE: '8', OMPI_COMM_WORLD_LOCAL_RANK: '3', OMPI_COMM_WORLD_LOCAL_SIZE: '4' },
      { family: 'openmpi', size: 8, localRank: 3, localSize: 4 },
    ],
    [
      'MPICH',
      { PMI_SIZE: '4', MPI_LOCALRANKID: '1', MPI_LOCALNRANKS: '2' },
      { family: 'mpich', size: 4, localRank: 1, localSize: 2 },
    ],
    [
      'srun on four machines',
      { SLURM_STEP_NUM_TASKS: '32', SLURM_LOCALID: '7', SLURM_STEP_TASKS_PER_NODE: '8(x4)', PMI_SIZE: '32' },
      { family: null, size: 32, localRank: 7, localSize: 8 },
    ],
    ['a batch script of Slurm', { SLURM_NTASKS: '32', SLURM_PROCID: '0', SLURM_STEP_NUM_TASKS: '1' }, null],
  ])('%s', (_name, environment, expected) => {
    expect(launchOf(environment)).toEqual(expected);
  });
});
