/** Timed work of this machine. Absolute times: for reading and for docs/benchmarks.md, never for tests. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BenchConfig, readBenchConfig } from '../benchmark/bench-config.js';
import { BenchParts } from '../benchmark/bench-parts.js';
import { describeEpochs, EPOCH_KINDS, type EpochResult, measureEpochs } from '../benchmark/epoch-run.js';
import { type KernelProfile, profileKernels } from '../benchmark/kernel-profile.js';
import { type PartName, PARTS } from '../benchmark/part-names.js';
import { type Baseline, measureBaseline } from '../benchmark/pytorch-baseline.js';
import { describeLoading, measureLoading } from '../benchmark/sample-loading.js';
import { peakRss, time, type Timing } from '../benchmark/timing.js';
import { storableWeights } from '../checkpoints/weights.js';
import { benchmarkMatMul } from '../engine/benchmark.js';
import { describeEngine, type EngineOptions } from '../engine/engine.js';
import { writeSafetensors } from '../io/safetensors/safetensors-writer.js';
import { packagePath } from '../program.js';
import { Random } from '../random.js';
import { runCommand } from '../setup/run-command.js';
import { systemNamed } from '../systems/index.js';
import { type FrozenWeights, holdFrozenWeights } from '../training/config/frozen-weights.js';
import { startNoted } from './engine.js';
import { counted, type Watch } from './watch.js';

interface BenchOptions extends Watch {
  readonly signal?: AbortSignal;
  readonly config: string;
  readonly runs: number;
  readonly only: readonly (PartName | 'products' | 'loading' | 'epochs')[];
  readonly frozenWeights: FrozenWeights;
  readonly pytorch?: string;
  readonly engine?: EngineOptions;
}

export type BenchResult = Awaited<ReturnType<typeof bench>>;
export type PartProfile = KernelProfile & { readonly part: PartName };

/** Samples of a run of loading, and the step next to it: the 4 samples a second that loading has to keep up with. */
const LOADED_SAMPLES = 24;
const STEP_SECONDS = 0.25;
/** Steps of an epoch, and rounds at most: an epoch takes a while. */
const EPOCH_STEPS = 6;
const MOST_ROUNDS = 3;

export async function bench(options: BenchOptions) {
  const { only, runs, pytorch, signal, onNote } = options;
  const engine = await startNoted(options.engine, options);
  const config = readBenchConfig(options.config);
  const wanted = wantedParts(options);
  const report = counted(options, 'bench');
  const timings: Timing[] = [];
  const timeParts = async (bench: BenchParts): Promise<void> => {
    const parts = partsOf(bench, options);
    for (const [i, name] of parts.entries()) {
      const onRun = (done: number): void => {
        report(i * (runs + 1) + done, parts.length * (runs + 1), name);
      };
      timings.push(await time(name, bench.work(name), runs, onRun));
    }
  };
  const folder = mkdtempSync(join(tmpdir(), 'gsva-bench-'));
  let baseline: Baseline | null = null;
  try {
    const { script, takesWeights } = baselineOf(options.config);
    const weights = pytorch !== undefined && takesWeights ? join(folder, 'weights.safetensors') : null;
    const use = async (bench: BenchParts): Promise<void> => {
      await timeParts(bench);
      if (weights !== null)
        writeSafetensors(weights, await storableWeights(bench.network, { prefix: '' }), { format: 'pt' });
    };
    if (wanted.length > 0) await withBench(config, options, use);
    signal?.throwIfAborted();
    const parts = timings.map(({ name }) => name);
    if (pytorch !== undefined && parts.length > 0) {
      onNote?.('measuring PyTorch ...');
      const request = { python: pytorch, script, config, weights, parts, runs, threads: Math.max(1, engine.threads) };
      baseline = await measureBaseline(request, (command, args) => runCommand(command, args, { signal }));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const products = only.includes('products') ? await benchmarkMatMul([512, 1024], runs) : [];
  const loading = only.includes('loading')
    ? await measureLoading({ runs, samples: LOADED_SAMPLES, step: STEP_SECONDS }, (done) => {
        report(done, runs + 2, 'loading');
      })
    : null;
  const epochs = only.includes('epochs') ? await timeEpochs(config, options) : [];
  const generation = timings.find(({ name }) => name === PARTS.generate);
  return {
    ...{ engine: describeEngine(engine), timings, baseline, products, peakRss: timings.at(-1)?.peakRss ?? peakRss() },
    tokensPerSecond: generation === undefined ? null : config.workload.newTokens / generation.median,
    loading: loading === null ? null : { result: loading, text: describeLoading(loading, STEP_SECONDS) },
    epochs: epochs.map((result) => ({ result, text: describeEpochs(result) })),
  };
}

/** Where the time of each part goes, kernel by kernel. */
export async function profile(options: BenchOptions) {
  const engine = await startNoted(options.engine, options);
  const profiles: PartProfile[] = [];
  const profileParts = async (bench: BenchParts): Promise<void> => {
    for (const part of partsOf(bench, options)) {
      options.signal?.throwIfAborted();
      profiles.push({ part, ...(await profileKernels(bench.work(part))) });
    }
  };
  if (wantedParts(options).length > 0) await withBench(readBenchConfig(options.config), options, profileParts);
  return { engine: describeEngine(engine), profiles };
}

function wantedParts({ only }: BenchOptions): PartName[] {
  return Object.values(PARTS).filter((name) => only.includes(name));
}

/** Wanted parts that the model has. */
function partsOf(bench: BenchParts, options: BenchOptions): PartName[] {
  const wanted = wantedParts(options);
  const lacking = wanted.filter((name) => !bench.parts.includes(name));
  if (lacking.length > 0) options.onNote?.(`${bench.system.name} does not have: ${lacking.join('; ')}`);
  return wanted.filter((name) => bench.parts.includes(name));
}

/** Script that does the same work in PyTorch: the configuration's own, which takes our weights, or bench-small's. */
function baselineOf(config: string): { readonly script: string; readonly takesWeights: boolean } {
  const own = config.replace(/\.json5?$/, '.pytorch.py');
  if (existsSync(own)) return { script: own, takesWeights: true };
  return { script: packagePath('configs', 'bench-small', 'pytorch_baseline.py'), takesWeights: false };
}

async function withBench<T>(
  config: BenchConfig,
  { frozenWeights }: BenchOptions,
  use: (bench: BenchParts) => Promise<T>,
): Promise<T> {
  const system = await systemNamed(config.model.system, config.description);
  const network = system.build(config.model);
  holdFrozenWeights(network, 'grounding', frozenWeights);
  network.build();
  network.randomize(new Random(config.workload.seed));
  const bench = new BenchParts(config, system, network);
  try {
    return await use(bench);
  } finally {
    bench.dispose();
  }
}

async function timeEpochs(config: BenchConfig, options: BenchOptions): Promise<EpochResult[]> {
  const { batch } = config.workload;
  const rounds = Math.min(options.runs, MOST_ROUNDS);
  const settings = { images: EPOCH_STEPS * batch, batch, rounds, later: 1, workers: 1 };
  const report = counted(options, 'bench');
  return withBench(config, options, async (bench) => {
    if (!bench.keepsFeatures) {
      options.onNote?.(`${bench.system.name} keeps no features from epoch to epoch: its encoders train`);
      return [];
    }
    await bench.work(PARTS.trainingStep)(); // to warm up
    return measureEpochs(bench, settings, (done, name) => {
      report(done, EPOCH_KINDS.length * rounds * (1 + settings.later), `epochs, ${name}`);
    });
  });
}
