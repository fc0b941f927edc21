/** `gsva bench`: how fast this machine is: a training step, an evaluated image, the model's parts, matrix products. */
import { PARTS } from '../../benchmark/part-names.js';
import { packagePath } from '../../program.js';
import type { BenchResult, PartProfile } from '../../workflows/bench.js';
import { defineCommand } from '../command.js';
import { flag, option, withDefault } from '../options/option.js';
import { FROZEN_WEIGHTS_OPTION, hardwareOf } from '../options/shared.js';
import { INPUT_PATH, requireFile, someOf, TEXT, wholeNumber } from '../options/values.js';
import type { Output } from '../output.js';

/** Kernels listed by `--profile`; the rest is one line. */
const LISTED_KERNELS = 25;

const NAMES = [...Object.values(PARTS), 'products', 'loading', 'epochs'] as const;

export const command = defineCommand({
  options: {
    config: withDefault(
      'Sizes of the model and of its batch',
      INPUT_PATH,
      packagePath('configs', 'bench-small', 'config.json5'),
      'configs/bench-small/config.json5',
    ),
    runs: withDefault('Counted runs of each measurement, after one to warm up', wholeNumber(1, 1000), 7),
    only: withDefault('Measurements to make', someOf(NAMES), [...NAMES], 'all'),
    'frozen-weights': FROZEN_WEIGHTS_OPTION,
    profile: flag('List where the time goes, kernel by kernel, instead'),
    pytorch: option('A Python with PyTorch: measure the published implementation too', TEXT),
  },
  examples: {
    'gsva bench': 'a training step, an evaluated image, parts of the model, matrix products',
    'gsva bench --only "training step" --profile': 'the kernels that a training step spends its time in',
    'gsva bench --only loading': 'samples per second of one loading thread, and whether a training step waits',
    'gsva bench --only epochs': 'first epochs and later ones, whose images need not be encoded again',
    'gsva bench --engine wasm --threads 1 --json': 'another engine, for a program to read',
    'gsva bench --pytorch venv/bin/python': 'side by side with PyTorch (configs/bench-small/requirements.txt)',
  },
  async run(args, context) {
    requireFile('--config', args.config);
    const { output } = context;
    const { frozenWeights = 'f32' } = args;
    const { bench, profile } = await import('../../workflows/bench.js');
    const options = { ...args, frozenWeights, engine: hardwareOf(args), ...context };
    if (args.profile) {
      const { engine, profiles } = await profile(options);
      output.line(engine);
      for (const each of profiles) showProfile(each, output);
      output.json({ engine, node: process.version, profiles });
      return 0;
    }
    const { timings, baseline, products, loading, epochs, ...facts } = await bench(options);
    output.line(facts.engine);
    if (timings.length > 0) showTimings(timings, baseline, facts.tokensPerSecond, output);
    if (products.length > 0) showProducts(products, output);
    if (loading !== null) output.line(` ${loading.text}`);
    for (const { text } of epochs) output.line(` ${text}`);
    output.json({
      ...facts,
      node: process.version,
      config: args.config,
      runs: args.runs,
      frozenWeights,
      parts: timings,
      pytorch: baseline === null ? null : { ...baseline, parts: Object.fromEntries(baseline.parts) },
      products,
      loading: loading?.result ?? null,
      epochs: epochs.map(({ result }) => result),
    });
    return 0;
  },
});

function showTimings(
  timings: BenchResult['timings'],
  baseline: BenchResult['baseline'],
  speed: number | null,
  output: Output,
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
  if (speed !== null) output.line(` generation: ${speed.toFixed(0)} tokens/s`);
  if (baseline !== null) output.line(` ${baseline.versions}: peak RSS ${mebibytes(baseline.peakRss)}`);
}

function showProducts(products: BenchResult['products'], output: Output): void {
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

function showProfile(profile: PartProfile, output: Output): void {
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
    ['left', 'right', 'right', 'right', 'left'],
  );
  const rest = kernels.slice(LISTED_KERNELS);
  if (rest.length === 0) return;
  const left = rest.reduce((sum, { milliseconds: spent }) => sum + spent, 0);
  output.line(` ${rest.length} more kernels: ${left.toFixed(1)} ms`);
}
