/** One training run on the command line: the trainer with a bar, validation by evaluation, plots at the end. */
import { join } from 'node:path';
import { describeEngine, type EngineInfo } from '../engine/engine.js';
import { isAnswerRate } from '../evaluation/answer-rates.js';
import { GRES } from '../evaluation/benchmarks/benchmarks.js';
import { evaluate } from '../evaluation/evaluate.js';
import { type LinePlot, linePlotSvg } from '../evaluation/report/line-plot.js';
import type { ReportSample } from '../evaluation/report/report-data.js';
import { Predictor } from '../inference/predictor.js';
import { writeFileAtomic } from '../io/atomic/atomic-file.js';
import { baseTask, type Experiment, groundingTask, type Validate } from '../training/config/build-experiment.js';
import { type Communicator, SingleProcess } from '../training/distributed/communicator.js';
import { type GsvaDataConfig, openTrainingData, openValidationData } from '../training/config/experiment-data.js';
import type { GroundingTask } from '../training/grounding-task.js';
import type { FeatureStore } from '../features/feature-store.js';
import type { Resume } from '../training/saving/resume.js';
import { readRunLog, type TrainingEnd } from '../training/watching/run-log.js';
import { overfitTask } from '../training/loop/overfit.js';
import { trainerOptions } from '../training/loop/run-length.js';
import { observers } from '../training/watching/training-observer.js';
import { Trainer } from '../training/loop/trainer.js';
import type { TrainerEnvironment } from '../training/loop/trainer-options.js';
import type { TrainingTask } from '../training/loop/training-task.js';
import { freeAnswerRates } from './free-answers.js';
import { figuresOf } from './measure.js';
import { frozenNote } from './packed-note.js';
import { TensorBoardRun } from './tensorboard-run.js';
import { lossPlot, validationPlot } from './training-plots.js';
import { writeSummary } from './training-summary.js';
import type { VerbContext } from './verb.js';

export interface TrainingRun {
  readonly end: TrainingEnd;
  readonly plots: readonly LinePlot[];
}

const VALIDATION_BATCH = 8;
/** Images, evenly spread over the validation set, that are shown with their answers. */
const VALIDATION_SAMPLES = 4;

export interface TrainingRunOptions {
  /** Folder to train into: last/, best/, log.jsonl, loss.svg, validation.svg, summary.html. */
  readonly out: string;
  readonly resume: Resume;
  /** Folder for TensorBoard's events; null for none. */
  readonly tensorboard?: string | null;
  /** Default: this process alone. */
  readonly communicator?: Communicator;
  /** Of the same images by the same encoders, from other runs. */
  readonly features?: FeatureStore | null;
  /** Train on so many samples alone; null: on all. */
  readonly overfit?: number | null;
}

/** Trains; of several ranks, rank 0 writes. */
export async function trainExperiment(
  experiment: Experiment,
  {
    out,
    resume,
    tensorboard = null,
    communicator = new SingleProcess(),
    features = null,
    overfit = null,
  }: TrainingRunOptions,
  context: VerbContext,
  engine: EngineInfo,
): Promise<TrainingRun> {
  const { config } = experiment;
  const { rank, size } = communicator;
  if (config.frozenWeights !== 'f32' && rank === 0) context.note(frozenNote(experiment));
  const header = { stage: config.stage, engine: describeEngine(engine), ranks: size, config: { ...config } };
  const isWatched = tensorboard !== null && rank === 0;
  const events = isWatched ? new TensorBoardRun(tensorboard, header, (line) => context.note(line)) : null;
  let shown: readonly ReportSample[] = [];
  const keep: KeepSamples = async (samples) => {
    shown = samples;
    await events?.draw(samples);
  };
  const run = async <Sample>(whole: TrainingTask<Sample>): Promise<TrainingEnd> => {
    const task = overfit === null ? whole : overfitTask(whole, overfit);
    const bar = context.startProgress('train', 100);
    try {
      const observer = observers(observe(bar, context), events ?? {});
      const { signal } = context;
      const environment: TrainerEnvironment = { runDir: out, resume, signal, header, observer, communicator };
      const options = trainerOptions(config.training, task.sampleCount, size);
      return await new Trainer(task, options, environment).run();
    } finally {
      bar.stop();
      events?.close();
    }
  };
  const { data } = config;
  const end =
    data.kind === 'scenes'
      ? await run(baseTask(experiment, data))
      : await run(await taskOn(experiment, data, keep, features));
  if (rank !== 0) return { end, plots: [] };
  const plots = writePlots(out);
  await writeSummary(out, { config, engine, end, plots, samples: shown });
  return { end, plots };
}

/** Takes a few samples of each validation with the model's answers. */
type KeepSamples = (samples: readonly ReportSample[]) => Promise<void>;

async function taskOn(
  experiment: Experiment,
  data: GsvaDataConfig,
  keep: KeepSamples,
  features: FeatureStore | null,
): Promise<GroundingTask> {
  return groundingTask(experiment, await openTrainingData(data), await validation(experiment, data, keep), features);
}

/** Strict figures, and rates of free answers, on the first images of `val`; null when the run never validates, which then needs no `val`. */
async function validation(
  { system, gsva, tokenizer, config }: Experiment,
  data: GsvaDataConfig,
  keep: KeepSamples,
): Promise<Validate | null> {
  const on = config.training.validateEvery === 0 ? null : await openValidationData(data);
  if (on === null) return null;
  const predictor = new Predictor(system, gsva, tokenizer, config.conversation, { variant: config.variant });
  return async (signal) => {
    const { results, samples } = await evaluate(GRES, on.dataset, predictor, {
      protocols: ['strict'],
      batch: VALIDATION_BATCH,
      limit: on.images,
      samples: VALIDATION_SAMPLES,
      ...(signal === undefined ? {} : { signal }),
    });
    await keep(samples);
    const [strict] = results;
    if (strict === undefined) throw new Error('validation: no result');
    const figures = Object.entries(figuresOf(strict)).map(([name, value]) => [name, value ?? NaN] as const);
    return {
      ...Object.fromEntries(figures),
      ...(await freeAnswerRates(on.dataset, predictor, on.generateImages, signal)),
    };
  };
}

function observe(
  bar: ReturnType<VerbContext['startProgress']>,
  context: VerbContext,
): NonNullable<TrainerEnvironment['observer']> {
  let validated = '';
  return {
    onUpdate: ({ update, losses: { loss = NaN } }, { fraction }) => {
      bar.update(Math.round(1000 * fraction) / 10, `update ${update}  loss ${loss.toFixed(3)}${validated}`);
    },
    onValidation: ({ metrics }) => {
      validated = Object.entries(metrics)
        .filter(([name]) => !isAnswerRate(name))
        .map(([name, value]) => `  ${name.replace('_', '-')} ${value.toFixed(2)}`)
        .join('');
    },
    onAlarm: ({ update, message }) => {
      context.note(`ALARM at update ${update}: ${message}`);
    },
    onMessage: (message) => {
      context.note(message);
    },
  };
}

/** Losses and validation figures over the updates, as files and for a report. */
function writePlots(out: string): LinePlot[] {
  const history = readRunLog(join(out, 'log.jsonl'));
  const loss = lossPlot(history);
  writeFileAtomic(join(out, 'loss.svg'), linePlotSvg(loss));
  if (history.validations.length === 0) return [loss];
  const figures = validationPlot(history);
  writeFileAtomic(join(out, 'validation.svg'), linePlotSvg(figures));
  return [loss, figures];
}
