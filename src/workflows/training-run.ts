/** One training run: the trainer, validation by evaluation, plots and a summary at the end. */
import { join } from 'node:path';
import { packedBytes } from '../checkpoints/precision.js';
import { describeEngine, type EngineInfo } from '../engine/engine.js';
import { answerRates, isAnswerRate } from '../evaluation/answer-rates.js';
import { GRES } from '../evaluation/benchmarks/benchmarks.js';
import { evaluate } from '../evaluation/evaluate.js';
import { type LinePlot, linePlotSvg } from '../evaluation/report/line-plot.js';
import type { ImageRecord } from '../evaluation/records/record-types.js';
import { panelPng } from '../evaluation/report/panel.js';
import type { ReportSample } from '../evaluation/report/report-data.js';
import { writeFileAtomic } from '../io/atomic/atomic-file.js';
import { baseTask, type Experiment, groundingTask, type Validate } from '../training/config/build-experiment.js';
import { type Communicator, SingleProcess } from '../training/distributed/communicator.js';
import { type GsvaDataConfig, openTrainingData, openValidationData } from '../training/config/experiment-data.js';
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
import { packedNote } from './engine.js';
import { predictorOf } from './experiment.js';
import { lossPlot, validationPlot, writeSummary } from './training-summary.js';
import type { Watch } from './watch.js';

const VALIDATION_BATCH = 8;
/** Images, evenly spread over the validation set, that are shown with their answers. */
const VALIDATION_SAMPLES = 4;

export interface TrainingRunOptions extends Watch, TrainingCalls {
  /** Folder to train into: last/, best/, log.jsonl, loss.svg, validation.svg, summary.html. */
  readonly out: string;
  readonly resume?: Resume;
  readonly tensorboard?: string;
  readonly communicator?: Communicator;
  /** Features of the same images by the same encoders, from other runs. */
  readonly features?: FeatureStore;
  /** Train on the first samples alone, this many. */
  readonly overfit?: number;
}

/** Trains; of several ranks, rank 0 writes. */
export async function trainExperiment(experiment: Experiment, engine: EngineInfo, options: TrainingRunOptions) {
  const { out, resume = false, tensorboard, communicator = new SingleProcess(), features = null, overfit } = options;
  const { onNote, signal } = options;
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
      const observer = observers(progressOf(options), options, events ?? {});
      const environment: TrainerEnvironment = { runDir: out, resume, signal, header, observer, communicator };
      return await new Trainer(task, trainerOptions(config.training, task.sampleCount, size), environment).run();
    } finally {
      events?.close();
    }
  };
  const { data } = config;
  let end: TrainingEnd;
  if (data.kind === 'scenes') end = await run(baseTask(experiment, data));
  else {
    const opened = await openTrainingData(data, config.training.batchSize);
    end = await run(groundingTask(experiment, opened, await validation(experiment, data, keep), features));
  }
  if (rank !== 0) return { end, plots: [] };
  const plots = writePlots(out);
  await writeSummary(out, { config, engine, end, plots, samples: shown });
  return { end, plots };
}

/** Bytes of the frozen weights that a training run holds in 16 bits, and whether that rounded them. */
function frozenNote({ network, config, rounded }: Experiment): string {
  const held = `frozen ${packedNote(packedBytes(network))}`;
  if (rounded.length === 0) return held;
  return (
    `${held}; ${config.start ?? ''} has ${rounded.length} of these matrices in more than 16 bits: they are rounded to ` +
    'BF16, and so are those of the checkpoints that this run writes'
  );
}

/** Receives a few samples of each validation with the model's answers. */
type KeepSamples = (samples: readonly ReportSample[]) => Promise<void>;

/** Strict figures, and rates of free answers, on the first images of `val`; null when the run never validates and needs no `val`. */
async function validation(experiment: Experiment, data: GsvaDataConfig, keep: KeepSamples): Promise<Validate | null> {
  const on = experiment.config.training.validateEvery === 0 ? null : await openValidationData(data);
  if (on === null) return null;
  const predictor = predictorOf(experiment);
  return async (signal) => {
    const { results, samples } = await evaluate(GRES, on.dataset, predictor, {
      protocols: ['strict'],
      batch: VALIDATION_BATCH,
      limit: on.images,
      samples: VALIDATION_SAMPLES,
      signal,
    });
    await keep(samples);
    const [strict] = results;
    if (strict === undefined) throw new Error('validation: no result');
    const figures = Object.entries(strict.figures).map(([name, value]) => [name, value ?? NaN] as const);
    const images = on.generateImages;
    if (images === 0) return Object.fromEntries(figures);
    const answered: ImageRecord[] = [];
    const onImage = (image: ImageRecord): number => answered.push(image);
    const free = { protocols: ['generate'], batch: images, limit: images, onImage, signal } as const;
    await evaluate(GRES, on.dataset, predictor, free);
    return { ...Object.fromEntries(figures), ...answerRates(answered, predictor.asking.vocabulary) };
  };
}

function progressOf({ onNote, onProgress }: Watch): TrainingObserver {
  let validated = '';
  onProgress?.({ label: 'train', done: 0, total: 100 });
  return {
    onUpdate: ({ update, losses }, { fraction }) => {
      const note = `update ${update}  loss ${(losses.loss ?? NaN).toFixed(3)}${validated}`;
      onProgress?.({ label: 'train', done: Math.round(1000 * fraction) / 10, total: 100, note });
    },
    onValidation: ({ metrics }) => {
      validated = Object.entries(metrics)
        .filter(([name]) => !isAnswerRate(name))
        .map(([name, value]) => `  ${name.replace('_', '-')} ${value.toFixed(2)}`)
        .join('');
    },
    onAlarm: ({ update, message }) => onNote?.(`ALARM at update ${update}: ${message}`),
    onMessage: onNote,
  };
}

function writePlots(out: string): LinePlot[] {
  const history = readRunLog(join(out, 'log.jsonl'));
  const plots = [lossPlot(history), ...(history.validations.length === 0 ? [] : [validationPlot(history)])];
  for (const [i, plot] of plots.entries()) {
    writeFileAtomic(join(out, i === 0 ? 'loss.svg' : 'validation.svg'), linePlotSvg(plot));
  }
  return plots;
}

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
