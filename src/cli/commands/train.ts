/** `gsva train`: trains a model as a configuration file says. */
import { UsageError } from '../../errors.js';
import { launchOf } from '../../training/distributed/launch.js';
import type { TrainResult } from '../../workflows/train.js';
import { duration } from '../../workflows/watch.js';
import { type CommandContext, defineCommand } from '../command.js';
import { dryRunJson, showDryRun } from '../dry-run-output.js';
import { KEY_VALUES } from '../options/model.js';
import { flag, option, required } from '../options/option.js';
import { FEATURE_CACHE_OPTIONS, featureCacheOf, hardwareOf, RANK_TIMEOUT_OPTION } from '../options/shared.js';
import { finiteNumber, INPUT_PATH, requireData, requireFile, TEXT, textAs, wholeNumber } from '../options/values.js';
import { asRank } from '../ranks.js';

const RESUME = textAs<true | 'auto'>('is given alone or as --resume auto', (text) => {
  return text === '' ? true : text === 'auto' ? text : undefined;
});

export const command = defineCommand({
  options: {
    config: required('Configuration file (JSON5), see configs/', INPUT_PATH),
    out: option('Folder for checkpoints, log and plots; with --dry-run, for pictures of the first batch', TEXT),
    'dry-run': flag(
      'Train nothing; report what it would take: memory, updates, time, what is trained, the first batch',
    ),
    ranks: option('With --dry-run: processes that are to train together (mpirun -np)', wholeNumber(1, 100_000)),
    set: option('Replace a key of the configuration: --set key=value', KEY_VALUES),
    resume: option(
      'Continue from the last checkpoint in --out; auto: from the newest that loads, or from the beginning',
      { ...RESUME, isBare: true },
    ),
    data: option("Dataset instead of the configuration's: a folder, or a file of your own (JSON lines)", TEXT),
    minutes: option(
      'Time of the whole run, all sittings together: the learning rate falls to 0 by then',
      finiteNumber(0.01, 525_600),
    ),
    tensorboard: option('Folder for TensorBoard to watch: curves and sample pictures, one folder per run', TEXT),
    ...FEATURE_CACHE_OPTIONS,
    overfit: option('Train on the first N samples alone; fails unless their loss becomes low', wholeNumber(1)),
    'overfit-bound': option(
      'With --overfit: the highest loss at the end; default: a fifth of the first',
      finiteNumber(0),
    ),
    'rank-timeout': RANK_TIMEOUT_OPTION,
  },
  examples: {
    'gsva train --config configs/tiny.json5 --out runs/tiny': 'the small model',
    'gsva train --config configs/tiny.json5 --out runs/tiny --resume': 'go on after a stop',
    'gsva train --config configs/tiny.json5 --out runs/tiny --resume auto': 'start, or go on: for schedulers',
    'gsva train --config configs/tiny.json5 --out runs/tiny --resume --minutes 15': 'go on to 15 minutes in all',
    'gsva train --config configs/own-data.json5 --data my/data.jsonl --out runs/mine': 'your own data',
    'gsva train --config configs/tiny.json5 --out runs/b --tensorboard runs/events/b': 'curves while it trains',
    'gsva train --config configs/tiny.json5 --out runs/a --feature-cache ~/features':
      'images are encoded once for all runs',
    'gsva train --config configs/tiny.json5 --out runs/a --set training.seed=7 maxLength=300': 'other values',
    'gsva train --config configs/tiny.json5 --out runs/four --overfit 4': 'can it learn four samples by heart?',
    'gsva train --config configs/paper/vicuna-7b-pretrain.json5 --dry-run --ranks 8': 'what it would take',
    'mpirun -np 8 gsva train --config configs/tiny.json5 --out runs/tiny': 'eight GPUs (docs/scaling.md)',
  },
  async run(args, context) {
    requireFile('--config', args.config);
    if (args.data !== undefined) requireData(args.data);
    const { config, out, data, minutes, set: overrides } = args;
    if (args.dryRun) {
      if (launchOf(process.env) !== null) {
        throw new UsageError('--dry-run is for one process: leave mpirun or srun out, and give --ranks N');
      }
      const { dryRun } = await import('../../workflows/dry-run.js');
      const engine = hardwareOf(args);
      const run = await dryRun({ config, overrides, data, minutes, ranks: args.ranks, out, engine, ...context });
      showDryRun(run, context.output);
      context.output.json(dryRunJson(run, config));
      return 0;
    }
    if (args.overfitBound !== undefined && args.overfit === undefined)
      throw new UsageError('--overfit-bound is the bound of --overfit N; give the number of samples');
    if (args.json) throw new UsageError('--json is not for train; its log in --out is JSON lines already');
    if (out === undefined) throw new UsageError('--out is missing: the folder to train into');
    if (args.ranks !== undefined)
      throw new UsageError('--ranks is for --dry-run; mpirun -np N trains with N processes');
    const { resume, tensorboard } = args;
    const options = { config, overrides, data, minutes, out, resume, tensorboard, featureCache: featureCacheOf(args) };
    const overfit = args.overfit === undefined ? undefined : { samples: args.overfit, bound: args.overfitBound };
    return asRank(args, args.rankTimeout, context, async (communicator, engine, own) => {
      const { onNote, onProgress, signal } = own;
      const { train } = await import('../../workflows/train.js');
      const result = await train({ ...options, overfit, engine, onNote, onProgress, signal }, communicator);
      showResult(result, own);
      return overfit === undefined ? 0 : showOverfit(overfit.samples, result, own);
    });
  },
});

function showResult({ end, model, summary }: TrainResult, { output }: CommandContext): void {
  const { best, update, elapsedSeconds } = end;
  const figure = best === null ? '' : `, best ${best.metric} ${best.value.toFixed(3)} at update ${best.update}`;
  const isStopped = end.reason === 'aborted';
  output.line(
    `${isStopped ? 'stopped and saved' : 'trained'}: ${update} updates in ${duration(elapsedSeconds)}${figure}`,
  );
  output.line(`model: ${model}  summary: ${summary}`);
  if (isStopped) output.line('go on with the same command and --resume');
}

/** Whether the samples were learned by heart, and advice where not. @returns the exit code: 1 where not */
function showOverfit(samples: number, { overfit }: TrainResult, { output, onNote }: CommandContext): number {
  if (overfit === null) return 0;
  const { loss, bound, isReached, advice } = overfit;
  const figures = `the loss of ${samples} samples is ${loss.toPrecision(3)}, the bound ${bound.toPrecision(3)}`;
  if (isReached) {
    output.line(`overfitted: ${figures}`);
    return 0;
  }
  onNote(`gsva train: --overfit failed: ${figures}.`);
  for (const line of advice) onNote(`  ${line}`);
  return 1;
}
