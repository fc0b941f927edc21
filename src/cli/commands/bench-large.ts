/** `gsva bench large`: a model of real size, made of random weights, from published files to an answer. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { LargeRun, LargeRunRequest } from '../../benchmark/large-run.js';
import { parseModelConfig } from '../../systems/shared/model-config.js';
import type { EngineName } from '../../engine/engine.js';
import { readJson } from '../../io/json/json-file.js';
import { bytesText } from '../../machine.js';
import { packagePath } from '../../program.js';
import { defineCommand } from '../command.js';
import { required, withDefault } from '../options/option.js';
import { INPUT_PATH, requireFile, requireFolder, someOf, TEXT, wholeNumber } from '../options/values.js';
import type { Output } from '../output.js';
import { runGsva, runNode } from '../own-process.js';

const ENGINES = ['tensorflow', 'openblas', 'wasm'] as const satisfies readonly EngineName[];

export const command = defineCommand({
  options: {
    config: withDefault(
      "Sizes, as a model's config.json has them",
      INPUT_PATH,
      packagePath('configs', 'bench-7b', 'config.json'),
      'configs/bench-7b/config.json',
    ),
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
      show(runs, { published, making, converting, convertRss }, context.output);
      context.output.json({ config: args.config, publishedBytes: published, making, converting, convertRss, runs });
      return 0;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
});

function show(
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
  output.table(
    ['', ...runs.map(({ engine }) => engine.split(':')[0] ?? engine)],
    rows.map(([name, cell]) => [name, ...runs.map(cell)]),
    ['left', ...runs.map(() => 'right' as const)],
  );
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
