/** Runs `gsva train` (as built in dist) under mpirun, for tests; says why where that cannot be done. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Null, or why there is no mpirun to test with. */
export function missingForMpi(): string | null {
  if (process.platform !== 'linux') return 'it looks for processes in /proc';
  if (spawnSync('mpirun', ['--version']).status !== 0) return 'there is no mpirun (apt-get install openmpi-bin)';
  return existsSync('dist/cli/main.js') ? null : 'dist is not built (npm run build)';
}

export interface Job {
  readonly process: ChildProcess;
  /** Resolves with what was written when the job has ended. */
  readonly ended: Promise<{ code: number | null; output: string }>;
}

/** `mpirun -np ranks node …`; with one rank, node alone. */
export function startJob(ranks: number, program: readonly string[]): Job {
  const mpirun = ['mpirun', '--allow-run-as-root', '--oversubscribe', '-np', String(ranks), process.execPath];
  const [command = '', ...argv] = [...(ranks === 1 ? [process.execPath] : mpirun), ...program];
  const child = spawn(command, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<{ code: number | null; output: string }>((resolve) => {
    child.on('close', (code) => {
      resolve({ code, output });
    });
  });
  return { process: child, ended };
}

/** Process numbers of a job by rank. */
export function pidsOf(job: Job): Map<number, number> {
  const found = new Map<number, number>();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const parent = /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${entry}/status`, 'utf8'))?.[1];
      if (Number(parent) !== job.process.pid) continue;
      const rank = /(?:^|\0)OMPI_COMM_WORLD_RANK=(\d+)/.exec(readFileSync(`/proc/${entry}/environ`, 'utf8'))?.[1];
      if (rank !== undefined) found.set(Number(rank), Number(entry));
    } catch {
      // ended meanwhile
    }
  }
  return found;
}

export function isAlive(pid: number): boolean {
  try {
    // A zombie still has a number.
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
