/**
 * The paper's three stages on the embedded benchmark, measured before and after (docs/three-stages.md):
 *
 *     node bin/three-stages.js runs/three-stages --engine openblas --threads 2
 *
 * Arguments after the folder go to every `gsva` command. Finished steps are not repeated: the same command continues after
 * an interruption. The base is checkpoints/tiny-base; its recorded figures are printed next to those of the same network
 * before its first update.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const GSVA = fileURLToPath(new URL('gsva.js', import.meta.url));
const CONFIGS = fileURLToPath(new URL('../configs/', import.meta.url));

const [out = 'runs/three-stages', ...shared] = process.argv.slice(2);
const data = join(out, 'data');
mkdirSync(out, { recursive: true });

/** Runs a command and returns its stdout. */
function gsva(words, computes = true) {
  process.stderr.write(`gsva ${words.join(' ')}\n`);
  const argv = [GSVA, ...words, ...(computes ? shared : [])];
  const { status, stdout, error } = spawnSync(process.execPath, argv, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`gsva ${words[0]} ended with ${status}`, { cause: error });
  return stdout;
}

/** Figures of a command with --json, kept in a file. */
function figures(name, words) {
  const file = join(out, `${name}.json`);
  if (!existsSync(file)) writeFileSync(file, gsva([...words, '--json']));
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** Trains, or goes on with what was interrupted; a finished run is left alone. */
function train(name, config, settings) {
  const folder = join(out, name);
  const log = join(folder, 'log.jsonl');
  const records = () =>
    readFileSync(log, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  const isStarted = existsSync(join(folder, 'last', 'config.json'));
  if (!(isStarted && records().some(({ type, reason }) => type === 'end' && reason !== 'aborted'))) {
    const set = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    if (!isStarted) rmSync(folder, { recursive: true, force: true });
    gsva(['train', '--config', join(CONFIGS, config), '--out', folder, ...set, ...(isStarted ? ['--resume'] : [])]);
  }
  return { folder, records: records() };
}

/** One update that moves nothing worth speaking of, and a validation: the figures of a network as it is. */
const AS_IT_IS = {
  'training.schedule.totalUpdates': 1,
  'training.schedule.warmupUpdates': 0,
  'training.schedule.learningRate': 1e-12,
};

if (!existsSync(data)) {
  const sizes = ['--train', '1500', '--val', '200', '--testA', '0', '--testB', '0', '--mixture', '600'];
  gsva(['data', 'synth', '--out', data, ...sizes], false);
}

const MEASURES = {
  SemSeg: { dataset: 'mapillary', names: ['mIoU'] },
  RES: { dataset: 'refcoco', names: ['cIoU', 'gIoU'] },
  ReasonSeg: { dataset: 'reason_seg', names: ['gIoU', 'cIoU'] },
  gRefCOCO: { dataset: 'grefcoco', names: ['gIoU', 'cIoU', 'N_acc', 'T_acc'] },
};

/** All figures of a model on what is held out: strict, and the first of each set by the published way of counting. */
function measure(name, { folder }) {
  const of = ['--model', join(folder, 'last'), '--data', data];
  const row = {};
  for (const [task, { dataset, names }] of Object.entries(MEASURES)) {
    const words = ['eval', ...of, '--dataset', dataset, '--protocol', 'strict', 'reference'];
    const { others, ...strict } = figures(`${name}-${dataset}`, words);
    for (const figure of names) row[`${task} ${figure}`] = strict[figure];
    row[`${task} ${names[0]}, reference`] = others[0][names[0]];
  }
  return { ...row, 'VQA accuracy': figures(`${name}-vqa`, ['vqa', ...of]).accuracy };
}

// Stages 1 and 2. The start model is the base with [SEG] and [REJ] drawn, LoRA and ψ added.
const start = train('start', 'tiny-1-pretrain.json5', { ...AS_IT_IS, 'training.validateEvery': 0, 'data.dir': data });
const before = measure('start', start);
const first = train('pretrain', 'tiny-1-pretrain.json5', { 'data.dir': data });
const pretrained = measure('pretrain', first);
const second = train('finetune', 'tiny-2-finetune.json5', { 'data.dir': data, start: join(first.folder, 'last') });
const finetuned = measure('finetune', second);

// Stage 0: the base. Its five runs take an hour and a half; here are the same measurements before any of them.
const BASE = {
  sam: 'tiny-base-1-sam.json5',
  clip: 'tiny-base-2-clip.json5',
  caption: 'tiny-base-3-caption.json5',
  grounding: 'tiny-base-4-grounding.json5',
  joint: 'tiny-base-5-joint.json5',
};
const recorded = JSON.parse(
  readFileSync(new URL('../checkpoints/tiny-base/meta.json', import.meta.url), 'utf8'),
).details;
const baseRows = Object.entries(BASE).flatMap(([stage, config]) => {
  const settings = { ...AS_IT_IS, 'training.validateEvery': 1, start: 'null' };
  const { records } = train(`untrained-${stage}`, config, settings);
  const { metrics } = records.findLast(({ type }) => type === 'validation');
  return Object.entries(metrics)
    .filter(([name]) => name in recorded[stage])
    .map(([name, untrained]) => ({ stage, figure: name, untrained, trained: recorded[stage][name] }));
});

console.table(baseRows);
console.table(
  Object.fromEntries(
    Object.keys(before).map((name) => [
      name,
      { 'the base': before[name], pretrained: pretrained[name], 'fine-tuned': finetuned[name] },
    ]),
  ),
);
for (const [name, { records }] of Object.entries({ pretrain: first, finetune: second })) {
  const { update, elapsedSeconds } = records.findLast(({ type }) => type === 'end');
  console.log(`${name}: ${update} updates in ${Math.round(elapsedSeconds)} s`);
}
