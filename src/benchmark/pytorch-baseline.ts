/** The same work in PyTorch, measured by a script (configs/bench-small, configs/bench-efficiency) in a process of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sizesToJson } from '../systems/model-configs.js';
import { UserError } from '../errors.js';
import { writeJson } from '../io/json/json-file.js';
import { JsonReader } from '../io/json/json-reader.js';
import type { BenchConfig } from './bench-config.js';
import { type Runs, summary } from './timing.js';

export interface Baseline {
  /** "PyTorch 2.9.1, transformers 4.57.1". */
  readonly versions: string;
  readonly parts: ReadonlyMap<string, Runs>;
  /** Bytes. */
  readonly peakRss: number;
}

interface BaselineRequest {
  /** An interpreter that has configs/bench-small/requirements.txt installed. */
  readonly python: string;
  readonly script: string;
  readonly config: BenchConfig;
  /** File of our weights, for a script that takes them; null for one that draws its own. */
  readonly weights: string | null;
  readonly parts: readonly string[];
  readonly runs: number;
  readonly threads: number;
}

/** Runs a program and returns what it wrote to stdout. */
type ProgramRunner = (command: string, args: readonly string[]) => Promise<string>;

/** @throws UserError when the interpreter or its packages are missing, or its answer is not what was asked for */
export async function measureBaseline(request: BaselineRequest, run: ProgramRunner): Promise<Baseline> {
  const { python, script, config, weights, parts, runs, threads } = request;
  const folder = mkdtempSync(join(tmpdir(), 'gsva-bench-'));
  try {
    const file = join(folder, 'workload.json');
    writeJson(file, { model: sizesToJson(config.model), workload: config.workload });
    const own = weights === null ? [] : ['--weights', weights];
    const options = ['--workload-json', file, '--runs', String(runs), '--threads', String(threads), ...own];
    const answer = await run(python, [script, ...options, '--only', parts.join(';')]);
    return readBaseline(answer, parts);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readBaseline(answer: string, parts: readonly string[]): Baseline {
  let parsed: unknown;
  try {
    parsed = JSON.parse(answer);
  } catch {
    throw new UserError(`The PyTorch baseline printed no JSON but: ${answer.slice(0, 200)}`);
  }
  const root = JsonReader.of(parsed, 'the answer of the PyTorch baseline');
  const timings = root.key('parts');
  // Parts that a script does not have, by its own word.
  const notMeasured =
    root
      .optional('notMeasured')
      ?.array()
      .map((name) => name.string()) ?? [];
  const measured = parts.filter((name) => !notMeasured.includes(name));
  return {
    versions: root.key('versions').string(),
    peakRss: root.key('peakRss').number({ min: 0 }),
    parts: new Map(measured.map((name) => [name, summary(timings.key(name).key('runs').numbers())])),
  };
}
