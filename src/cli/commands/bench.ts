/** `gsva bench`: how fast this machine is; `bench large`: a model of real size, from published files to an answer. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { LargeRun, LargeRunRequest } from '../../benchmark/large-run.js';
import { PARTS } from '../../benchmark/part-names.js';
import type { EngineName } from '../../engine/engine.js';
import { readJson } from '../../io/json/json-file.js';
import { bytesText } from '../../machine.js';
import { packagePath } from '../../program.js';
import { parseModelConfig } from '../../systems/shared/model-config.js';
import type { BenchResult, PartProfile } from '../../workflows/bench.js';
import { defineCommand } from '../command.js';
import { flag, option, required, withDefault } from '../options/option.js';
import { FROZEN_WEIGHTS_OPTION, hardwareOf } from '../options/shared.js';
import { INPUT_PATH, requireFile, requireFolder, someOf, TEXT, wholeNumber } from '../options/values.js';
import type { Output } from '../output.js';
import { runGsva, runNode } from '../own-process.js';

/** Kernels listed by `--profile`; the rest is one line. */
const LISTED_KERNELS = 25;
const NAMES = [...Object.values(PARTS), 'products', 'loading', 'epochs'] as const;
const ENGINES = ['tensorflow', 'openblas', 'wasm'] as const satisfies readonly EngineName[];
const packagedFile = (describe: string, path: string) => withDefault(describe, INPUT_PATH, packagePath(path), path);

export const commands = {
  bench: defineCommand({
    options: {
      config: packagedFile('Sizes of the model and of its batch', 'configs/bench-small/config.json5'),
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
  }),
  'bench large': defineCommand({
    options: {
      config: packagedFile("Sizes, as a model's config.json has them", 'configs/bench-7b/config.json'),
      dir: required(
        'Folder with room for two copies of the weights (7B: 34 GB); its new files are deleted afterwards',
        TEXT,
      ),
      on: withDefault('Engines to measure', someOf(ENGINES), ['tensorflow', 'openblas']),
      tokens: withDefault('Tokens to write', wholeNumber(1, 1000), 8),
    },
    examples: {
      'gsva bench large --dir /tmp': '7B + CLIP-L + SAM-H: about 15 minutes, 34 GB of disk, 20 GB of memory',
      'gsva bench large --dir /tmp --config checkpoints/tiny/config.json --on wasm --json': 'the same, small',
    },
    async run(args, context) {
      requireFile('--config', args.config);
      requireFolder('--dir', args.dir);
      const { writeRandomCheckpoint } = await import('../../benchmark/random-checkpoint.js');
      const config = parseModelConfig(readJson(args.config, "the model's sizes"), args.config);
      const folder = mkdtempSync(join(args.dir, 'gsva-large-'));
      try {
        context.onNote(`making random weights in ${folder} ...`);
        const tokenizer = packagePath('configs', 'tokenizers', 'synth');
        const onTensor = context.signal.throwIfAborted.bind(context.signal);
        const [paths, making] = await timed(() => writeRandomCheckpoint(folder, config, tokenizer, onTensor));
        const published = bytesIn(folder);
        context.onNote(`made ${bytesText(published)} in ${making.toFixed(0)} s; converting ...`);
        const out = join(folder, 'converted');
        const files = ['--mllm', paths.mllm, '--vision-tower', paths.visionTower, '--sam', paths.sam];
        const heads = `sam.decoder_heads=${config.sam.decoderHeads}`;
        const options = ['--weights', paths.weights, '--set', heads, '--dtype', 'bf16', '--out', out, '--json'];
        const [converted, converting] = await timed(() => runGsva(['convert', ...files, ...options], context));
        const { peakRss: convertRss } = JSON.parse(converted) as { readonly peakRss: number };
        context.onNote(`converted to ${bytesText(bytesIn(out))} in ${converting.toFixed(0)} s`);
        const runs: LargeRun[] = [];
        for (const engine of args.on) {
          context.onNote(`loading and asking on ${engine} ...`);
          const run: LargeRunRequest = { model: out, engine, threads: args.threads ?? null, newTokens: args.tokens };
          const program = packagePath('dist', 'benchmark', 'large-run.js');
          runs.push(JSON.parse(await runNode(program, [JSON.stringify(run)], context)) as LargeRun);
        }
        showLarge(runs, { published, making, converting, convertRss }, context.output);
        context.output.json({ config: args.config, publishedBytes: published, making, converting, convertRss, runs });
        return 0;
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  }),
};

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
    ['kernel', 'calls>', 'ms>', 'share>', 'longest call'],
    listed.map(({ kernel, calls: count, milliseconds: spent, share, longest }) => [
      kernel,
      count,
      spent.toFixed(1),
      `${(100 * share).toFixed(1)} %`,
      `${longest.milliseconds.toFixed(1)} ms, ${longest.shapes}`,
    ]),
  );
  const rest = kernels.slice(LISTED_KERNELS);
  if (rest.length === 0) return;
  const left = rest.reduce((sum, { milliseconds: spent }) => sum + spent, 0);
  output.line(` ${rest.length} more kernels: ${left.toFixed(1)} ms`);
}

function showLarge(
  runs: readonly LargeRun[],
  made: Readonly<Record<'published' | 'making' | 'converting' | 'convertRss', number>>,
  output: Output,
): void {
  const { published, making, converting, convertRss } = made;
  output.line(` published files: ${bytesText(published)}, made in ${making.toFixed(0)} s`);
  output.line(` converted in ${converting.toFixed(0)} s, peak RSS ${bytesText(convertRss)}`);
  const seconds = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} s`;
  const rows: (readonly [string, (run: LargeRun) => string])[] = [
    ['load', (run) => seconds(run.load)],
    ['RSS when loaded', (run) => bytesText(run.rssLoaded)],
    ['both encoders, one image', (run) => seconds(run.encode)],
    ['image and question to first token', (run) => `${seconds(run.encode + run.prompt)} (${run.promptTokens} tokens)`],
    ['tokens/s', (run) => (1 / run.token).toFixed(2)],
    ['seconds per mask', (run) => seconds(run.mask)],
    ['a question answered, image encoded', (run) => seconds(run.question)],
    ['peak RSS', (run) => bytesText(run.peakRss)],
  ];
  output.line();
  const heads = runs.map(({ engine }) => `${engine.split(':')[0] ?? engine}>`);
  const cells = rows.map(([name, cell]) => [name, ...runs.map(cell)]);
  output.table(['', ...heads], cells);
  for (const { engine } of runs) output.line(` ${engine}`);
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const start = performance.now();
  const result = await work();
  return [result, (performance.now() - start) / 1000];
}

function bytesIn(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, found) => sum + (found.isFile() ? found.size : 0), 0);
}
