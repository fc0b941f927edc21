/** One training run: the trainer, validation by evaluation, plots and a summary at the end. */
import type { Abortable } from '../abortable.js';
import { join } from 'node:path';
import { describeEngine, type EngineInfo } from '../engine/engine.js';
import type { EvaluatedDataset } from '../data/evaluated-dataset.js';
import { type AnswerRate, answerRates, isAnswerRate } from '../evaluation/answer-rates.js';
import { GRES } from '../evaluation/benchmarks/benchmarks.js';
import { evaluate } from '../evaluation/evaluate.js';
import { type LinePlot, linePlotSvg } from '../evaluation/report/line-plot.js';
import type { ImageRecord } from '../evaluation/records/record-types.js';
import { panelPng } from '../evaluation/report/panel.js';
import type { ReportSample } from '../evaluation/report/report-data.js';
import { Predictor } from '../inference/predictor.js';
import { writeFileAtomic } from '../io/atomic/atomic-file.js';
import { baseTask, type Experiment, groundingTask, type Validate } from '../training/config/build-experiment.js';
import { type Communicator, SingleProcess } from '../training/distributed/communicator.js';
import { type GsvaDataConfig, openTrainingData, openValidationData } from '../training/config/experiment-data.js';
import type { GroundingTask } from '../training/grounding-task.js';
import type { FeatureStore } from '../features/feature-store.js';
import type { Resume } from '../training/saving/resume.js';
import { readRunLog, type TrainingEnd, type ValidationRecord } from '../training/watching/run-log.js';
import { overfitTask } from '../training/loop/overfit.js';
import { trainerOptions } from '../training/loop/run-length.js';
import { TensorBoardLog } from '../training/watching/tensorboard-log.js';
import { observers, type TrainingCalls, type TrainingObserver } from '../training/watching/training-observer.js';
import { Trainer } from '../training/loop/trainer.js';
import type { TrainerEnvironment } from '../training/loop/trainer-options.js';
import type { TrainingTask } from '../training/loop/training-task.js';
import { frozenNote } from './packed-note.js';
import { lossPlot, validationPlot } from './training-plots.js';
import { writeSummary } from './training-summary.js';
import type { Watch } from './watch.js';

export interface TrainingRun {
  readonly end: TrainingEnd;
  readonly plots: readonly LinePlot[];
}

const VALIDATION_BATCH = 8;
/** Images, evenly spread over the validation set, that are shown with their answers. */
const VALIDATION_SAMPLES = 4;

export interface TrainingRunOptions extends Watch, TrainingCalls {
  /** Folder to train into: last/, best/, log.jsonl, loss.svg, validation.svg, summary.html. */
  readonly out: string;
  readonly resume?: Resume;
  /** Folder for TensorBoard's events. */
  readonly tensorboard?: string;
  /** Default: this process alone. */
  readonly communicator?: Communicator;
  /** Features of the same images by the same encoders, from other runs. */
  readonly features?: FeatureStore;
  /** Train on the first samples alone, this many. */
  readonly overfit?: number;
}

/** Trains; of several ranks, rank 0 writes. */
export async function trainExperiment(
  experiment: Experiment,
  engine: EngineInfo,
  options: TrainingRunOptions,
): Promise<TrainingRun> {
  const { out, resume = false, tensorboard, communicator = new SingleProcess(), features, overfit, onNote } = options;
  const { config } = experiment;
  const { rank, size } = communicator;
  if (config.frozenWeights !== 'f32' && rank === 0) onNote?.(frozenNote(experiment));
  const header = { stage: config.stage, engine: describeEngine(engine), ranks: size, config: { ...config } };
  const isWatched = tensorboard !== undefined && rank === 0;
  const events = isWatched ? new TensorBoardRun(tensorboard, header, (line) => onNote?.(line)) : null;
  let shown: readonly ReportSample[] = [];
  const keep: KeepSamples = async (samples) => {
    shown = samples;
    await events?.draw(samples);
  };
  const run = async <Sample>(whole: TrainingTask<Sample>): Promise<TrainingEnd> => {
    const task = overfit === undefined ? whole : overfitTask(whole, overfit);
    try {
      const observer = observers(observerOf(options), events ?? {});
      const { signal } = options;
      const environment: TrainerEnvironment = { runDir: out, resume, signal, header, observer, communicator };
      return await new Trainer(task, trainerOptions(config.training, task.sampleCount, size), environment).run();
    } finally {
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

/** Receives a few samples of each validation with the model's answers. */
type KeepSamples = (samples: readonly ReportSample[]) => Promise<void>;

async function taskOn(
  experiment: Experiment,
  data: GsvaDataConfig,
  keep: KeepSamples,
  features: FeatureStore | undefined,
): Promise<GroundingTask> {
  return groundingTask(
    experiment,
    await openTrainingData(data),
    await validation(experiment, data, keep),
    features ?? null,
  );
}

/** Strict figures, and rates of free answers, on the first images of `val`; null when the run never validates and needs no `val`. */
async function validation(
  { system, network, tokenizer, config }: Experiment,
  data: GsvaDataConfig,
  keep: KeepSamples,
): Promise<Validate | null> {
  const on = config.training.validateEvery === 0 ? null : await openValidationData(data);
  if (on === null) return null;
  const predictor = new Predictor(system, network, tokenizer, config.conversation, { variant: config.variant });
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
    const figures = Object.entries(strict.figures).map(([name, value]) => [name, value ?? NaN] as const);
    return {
      ...Object.fromEntries(figures),
      ...(await freeAnswerRates(on.dataset, predictor, on.generateImages, signal)),
    };
  };
}

/** Progress with the loss and the last validation, the caller's own calls, and notes. */
function observerOf({
  onNote,
  onProgress,
  onUpdate,
  onValidation,
  onAlarm,
  onCheckpoint,
}: TrainingRunOptions): TrainingObserver {
  let validated = '';
  onProgress?.({ label: 'train', done: 0, total: 100 });
  return {
    onUpdate: (record, progress) => {
      const { update, losses } = record;
      const note = `update ${update}  loss ${(losses.loss ?? NaN).toFixed(3)}${validated}`;
      onProgress?.({ label: 'train', done: Math.round(1000 * progress.fraction) / 10, total: 100, note });
      onUpdate?.(record, progress);
    },
    onValidation: (record) => {
      validated = Object.entries(record.metrics)
        .filter(([name]) => !isAnswerRate(name))
        .map(([name, value]) => `  ${name.replace('_', '-')} ${value.toFixed(2)}`)
        .join('');
      onValidation?.(record);
    },
    onAlarm: (record) => {
      onNote?.(`ALARM at update ${record.update}: ${record.message}`);
      onAlarm?.(record);
    },
    onCheckpoint,
    onMessage: onNote,
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

/** @param images from the start of the set; 0: nothing is measured */
async function freeAnswerRates(
  dataset: EvaluatedDataset,
  predictor: Predictor,
  images: number,
  signal: Abortable | undefined,
): Promise<Partial<Record<AnswerRate, number>>> {
  if (images === 0) return {};
  const answered: ImageRecord[] = [];
  await evaluate(GRES, dataset, predictor, {
    protocols: ['generate'],
    batch: images,
    limit: images,
    onImage: (image) => answered.push(image),
    ...(signal === undefined ? {} : { signal }),
  });
  return answerRates(answered, predictor.asking.vocabulary);
}

/** Curves of a run, and pictures of a few samples at every validation. */
class TensorBoardRun extends TensorBoardLog {
  private pictures: ReadonlyMap<string, Buffer> = new Map();

  /** Draws samples of a validation whose record is still to come. */
  async draw(samples: readonly ReportSample[]): Promise<void> {
    const pngs = await Promise.all(samples.map((sample) => panelPng(sample)));
    this.pictures = new Map(pngs.map((png, index) => [String(index + 1), png]));
  }

  override onValidation(record: ValidationRecord): void {
    super.onValidation(record);
    this.addPictures(record.update, this.pictures);
  }
}
