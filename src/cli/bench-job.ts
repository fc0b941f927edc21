/** The work behind `gsva bench`. Absolute times: for reading and for docs/benchmarks.md, never for tests. */
import { type BenchConfig, readBenchConfig } from '../benchmark/bench-config.js';
import { BenchParts } from '../benchmark/bench-parts.js';
import { describeEpochs, EPOCH_KINDS, type EpochResult, measureEpochs } from '../benchmark/epoch-run.js';
import { type PartName, PARTS } from '../benchmark/part-names.js';
import { type KernelProfile, profileKernels } from '../benchmark/kernel-profile.js';
import { type Baseline, measureBaseline } from '../benchmark/pytorch-baseline.js';
import { describeLoading, type LoadingResult, measureLoading } from '../benchmark/sample-loading.js';
import { peakRss, time, type Timing, type Work } from '../benchmark/timing.js';
import { benchmarkMatMul, type MatMulRow } from '../engine/benchmark.js';
import { describeEngine, type EngineInfo } from '../engine/engine.js';
import { LlavaSam } from '../systems/shared/llava-sam.js';
import { Random } from '../random.js';
import { runCommand } from '../setup/run-command.js';
import { type FrozenWeights, holdFrozenWeights } from '../training/config/frozen-weights.js';
import { packagePath } from '../program.js';
import type { VerbContext } from './verb.js';

/** What `gsva bench` was asked for, checked. */
export interface BenchRequest {
  readonly config: string;
  readonly runs: number;
  readonly only: readonly (PartName | 'products' | 'loading' | 'epochs')[];
  /** How what GSVA's training leaves frozen is held. */
  readonly frozenWeights: FrozenWeights;
  readonly profile: boolean;
  /** A Python interpreter, or null. */
  readonly pytorch: string | null;
}

/** Samples of a run of loading, and the step beside it: the 4 samples a second that loading has to keep up with. */
const LOADED_SAMPLES = 24;
const STEP_SECONDS = 0.25;

/** Steps of an epoch, and rounds at most: an epoch takes a while. */
const EPOCH_STEPS = 6;
const MOST_ROUNDS = 3;

/** Kernels listed by `--profile`; the rest is one line. */
const LISTED_KERNELS = 25;

/** @returns the exit code */
export async function runBench(request: BenchRequest, context: VerbContext, engine: EngineInfo): Promise<number> {
  const { output, signal } = context;
  const config = readBenchConfig(request.config);
  const wanted = request.only.filter((name) => name !== 'products' && name !== 'loading' && name !== 'epochs');
  const names = Object.values(PARTS).filter((name) => wanted.includes(name));
  if (request.profile) return profileParts(names, config, request, context, engine);
  const timings = await timeParts(names, config, request, context);
  signal.throwIfAborted();
  const baseline =
    request.pytorch === null || names.length === 0
      ? null
      : await runBaseline(request.pytorch, names, config, request.runs, engine, context);
  const products = request.only.includes('products') ? await benchmarkMatMul([512, 1024], request.runs) : [];
  const loading = request.only.includes('loading') ? await timeLoading(request.runs, context) : null;
  const epochs = request.only.includes('epochs') ? await timeEpochs(config, request, context) : [];
  output.line(describeEngine(engine));
  if (names.length > 0) showTimings(timings, baseline, config, context);
  if (products.length > 0) showProducts(products, context);
  if (loading !== null) output.line(` ${describeLoading(loading, STEP_SECONDS)}`);
  for (const result of epochs) output.line(` ${describeEpochs(result)}`);
  output.json({
    engine: describeEngine(engine),
    node: process.version,
    config: request.config,
    runs: request.runs,
    frozenWeights: request.frozenWeights,
    parts: timings,
    tokensPerSecond: tokensPerSecond(timings, config),
    peakRss: peakRss(),
    pytorch: baseline === null ? null : { ...baseline, parts: Object.fromEntries(baseline.parts) },
    products,
    loading,
    epochs,
  });
  return 0;
}

/** The work of each part on one model; nothing of it where no part is asked for. */
async function withParts(
  names: readonly PartName[],
  config: BenchConfig,
  frozenWeights: FrozenWeights,
  use: (name: PartName, work: Work) => Promise<void>,
): Promise<void> {
  if (names.length === 0) return;
  await withBench(config, frozenWeights, async (bench) => {
    for (const name of names) await use(name, bench.work(name));
  });
}

async function withBench<T>(
  config: BenchConfig,
  frozenWeights: FrozenWeights,
  use: (bench: BenchParts) => Promise<T>,
): Promise<T> {
  const gsva = new LlavaSam(config.model);
  holdFrozenWeights(gsva, 'gsva', frozenWeights);
  gsva.build();
  gsva.randomize(new Random(config.workload.seed));
  const bench = new BenchParts(config, gsva);
  try {
    return await use(bench);
  } finally {
    bench.dispose();
  }
}

async function timeEpochs(
  config: BenchConfig,
  { runs, frozenWeights }: BenchRequest,
  context: VerbContext,
): Promise<EpochResult[]> {
  const { batch } = config.workload;
  const settings = { images: EPOCH_STEPS * batch, batch, rounds: Math.min(runs, MOST_ROUNDS), later: 1, workers: 1 };
  const bar = context.startProgress('bench', EPOCH_KINDS.length * settings.rounds * (1 + settings.later));
  try {
    return await withBench(config, frozenWeights, async (bench) => {
      await bench.work(PARTS.trainingStep)(); // to warm up
      return measureEpochs(bench, settings, (done, name) => {
        context.signal.throwIfAborted();
        bar.update(done, `epochs, ${name}`);
      });
    });
  } finally {
    bar.stop();
  }
}

async function timeParts(
  names: readonly PartName[],
  config: BenchConfig,
  { runs, frozenWeights }: BenchRequest,
  context: VerbContext,
): Promise<Timing[]> {
  const timings: Timing[] = [];
  const bar = context.startProgress('bench', names.length * (runs + 1));
  try {
    await withParts(names, config, frozenWeights, async (name, work) => {
      const before = timings.length * (runs + 1);
      const onRun = (done: number): void => {
        context.signal.throwIfAborted();
        bar.update(before + done, name);
      };
      timings.push(await time(name, work, runs, onRun));
    });
  } finally {
    bar.stop();
  }
  return timings;
}

async function timeLoading(runs: number, context: VerbContext): Promise<LoadingResult> {
  const bar = context.startProgress('bench', runs + 2);
  try {
    return await measureLoading({ runs, samples: LOADED_SAMPLES, step: STEP_SECONDS }, (done) => {
      context.signal.throwIfAborted();
      bar.update(done, 'loading');
    });
  } finally {
    bar.stop();
  }
}

async function runBaseline(
  python: string,
  parts: readonly PartName[],
  config: BenchConfig,
  runs: number,
  engine: EngineInfo,
  context: VerbContext,
): Promise<Baseline> {
  context.note('measuring PyTorch ...');
  const script = packagePath('configs', 'bench-small', 'pytorch_baseline.py');
  const request = { python, script, config, parts, runs, threads: Math.max(1, engine.threads) };
  return measureBaseline(request, (command, args) => runCommand(command, args, { signal: context.signal }));
}

function showTimings(
  timings: readonly Timing[],
  baseline: Baseline | null,
  config: BenchConfig,
  { output }: VerbContext,
): void {
  const seconds = (value: number): string => value.toFixed(3);
  const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
  const head = ['seconds', 'median', 'min', 'max', 'peak RSS so far'];
  const rows = timings.map(({ name, median, min, max, peakRss: peak }) => {
    const own = [name, seconds(median), seconds(min), seconds(max), mebibytes(peak)];
    const other = baseline?.parts.get(name);
    if (baseline === null) return own;
    if (other === undefined) return [...own, '', '', ''];
    const spread = `${seconds(other.min)} – ${seconds(other.max)}`;
    return [...own, seconds(other.median), spread, `${(median / other.median).toFixed(2)}×`];
  });
  output.table(baseline === null ? head : [...head, 'PyTorch', 'min – max', 'ours / PyTorch'], rows);
  const speed = tokensPerSecond(timings, config);
  if (speed !== null) output.line(` generation: ${speed.toFixed(0)} tokens/s`);
  if (baseline !== null) output.line(` ${baseline.versions}: peak RSS ${mebibytes(baseline.peakRss)}`);
}

function tokensPerSecond(timings: readonly Timing[], config: BenchConfig): number | null {
  const generation = timings.find(({ name }) => name === PARTS.generate);
  return generation === undefined ? null : config.workload.newTokens / generation.median;
}

function showProducts(products: readonly MatMulRow[], { output }: VerbContext): void {
  output.table(
    ['product', 'size', 'GFLOP/s', 'slowest', 'fastest', 'share of plain'],
    products.map((row) => [
      row.variant,
      row.size,
      ...[row.gigaflops, row.slowest, row.fastest].map((rate) => rate.toFixed(0)),
      row.fraction.toFixed(2),
    ]),
  );
}

async function profileParts(
  names: readonly PartName[],
  config: BenchConfig,
  { frozenWeights }: BenchRequest,
  context: VerbContext,
  engine: EngineInfo,
): Promise<number> {
  const { output, signal } = context;
  const profiles: (KernelProfile & { readonly part: PartName })[] = [];
  output.line(describeEngine(engine));
  await withParts(names, config, frozenWeights, async (part, work) => {
    signal.throwIfAborted();
    const profile = { part, ...(await profileKernels(work)) };
    profiles.push(profile);
    showProfile(profile, context);
  });
  output.json({ engine: describeEngine(engine), node: process.version, profiles });
  return 0;
}

function showProfile(profile: KernelProfile & { readonly part: PartName }, { output }: VerbContext): void {
  const { part, kernels, calls, kernelMilliseconds, milliseconds, peakBytes } = profile;
  output.line();
  output.line(
    `${part}: ${kernelMilliseconds.toFixed(0)} of ${milliseconds.toFixed(0)} ms in ${calls} calls of kernels, ` +
      `at most ${Math.round(peakBytes / 2 ** 20)} MiB in tensors`,
  );
  const listed = kernels.slice(0, LISTED_KERNELS);
  output.table(
    ['kernel', 'calls', 'ms', 'share', 'longest call'],
    listed.map(({ kernel, calls: count, milliseconds: spent, share, longest }) => [
      kernel,
      count,
      spent.toFixed(1),
      `${(100 * share).toFixed(1)} %`,
      `${longest.milliseconds.toFixed(1)} ms, ${longest.shapes}`,
    ]),
    { align: ['left', 'right', 'right', 'right', 'left'] },
  );
  const rest = kernels.slice(LISTED_KERNELS);
  if (rest.length === 0) return;
  const left = rest.reduce((sum, { milliseconds: spent }) => sum + spent, 0);
  output.line(` ${rest.length} more kernels: ${left.toFixed(1)} ms`);
}
