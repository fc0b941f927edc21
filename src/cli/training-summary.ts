/** summary.html: a training run on one page: what it was, its figures, its curves, pictures of its last validation. */
import { join } from 'node:path';
import { describeEngine, type EngineInfo } from '../engine/engine.js';
import type { LinePlot } from '../evaluation/report/line-plot.js';
import type { MetricRow, ReportSample } from '../evaluation/report/report-data.js';
import { writeReportPage } from '../evaluation/report/write-report.js';
import { bytesText } from '../machine.js';
import type { ExperimentConfig } from '../training/experiment-config.js';
import { readRunLog, type RunHistory, type TrainingEnd, type UpdateRecord } from '../training/run-log.js';
import { duration } from './progress.js';

/** What the log does not say. */
export interface SummaryFacts {
  readonly config: ExperimentConfig;
  readonly engine: EngineInfo;
  readonly end: TrainingEnd;
  /** Losses and validation figures. */
  readonly plots: readonly LinePlot[];
  /** Of the last validation; empty where there was none. */
  readonly samples: readonly ReportSample[];
}

const ENDED: Readonly<Record<TrainingEnd['reason'], string>> = {
  updates: 'all updates made',
  time: 'the time was over',
  aborted: 'stopped, to be gone on with --resume',
};

export async function writeSummary(out: string, facts: SummaryFacts): Promise<void> {
  const { config, engine, end, plots, samples } = facts;
  const history = readRunLog(join(out, 'log.jsonl'));
  await writeReportPage(join(out, 'summary.html'), {
    title: `Training: ${config.description}`,
    model: `${config.stage}, from ${config.start ?? 'random weights'}`,
    config: `seed ${config.training.seed}, ${config.training.batchSize} × ${config.training.accumulation} samples an update`,
    checkpoint: join(out, 'last'),
    engine: describeEngine(engine),
    date: new Date(),
    seconds: end.elapsedSeconds,
    details: details(history, end),
    rows: rows(history, end),
    plots: [...plots, ...coursePlots(history.updates)],
    samples,
  });
}

function details({ updates, records }: RunHistory, end: TrainingEnd): (readonly [string, string])[] {
  const last = updates.at(-1);
  const resumed = records.filter(({ type }) => type === 'resume').length;
  const busy = updates.reduce((sum, { seconds }) => sum + seconds, 0);
  const samples = updates.reduce((sum, { seconds, samplesPerSecond }) => sum + seconds * samplesPerSecond, 0);
  return [
    ['Updates', `${end.update} (${ENDED[end.reason]})`],
    ['Epochs', (last?.epoch ?? 0).toFixed(2)],
    ['Speed', `${(samples / Math.max(busy, 1e-9)).toFixed(2)} samples a second, ${duration(busy)} in updates`],
    ['Memory', `${bytesText(1024 * process.resourceUsage().maxRSS)} at most`],
    ...(resumed === 0 ? [] : [['Resumed', `${resumed} ×`] as const]),
  ];
}

/** The first, the best and the last validation, each update once. */
function rows({ validations }: RunHistory, { best }: TrainingEnd): MetricRow[] {
  const named = [
    ['first', validations[0]],
    ['best', validations.findLast(({ update }) => update === best?.update)],
    ['last', validations.at(-1)],
  ] as const;
  const updates = new Set(named.flatMap(([, record]) => record?.update ?? []));
  return [...updates].map((update) => {
    const same = named.filter(([, record]) => record?.update === update);
    const metrics = same[0]?.[1]?.metrics ?? {};
    return { stage: `${same.map(([name]) => name).join(', ')}: update ${update}`, protocol: 'strict', metrics };
  });
}

function coursePlots(updates: readonly UpdateRecord[]): LinePlot[] {
  const plot = (title: string, yLabel: string, of: (record: UpdateRecord) => number): LinePlot => ({
    title,
    xLabel: 'update',
    yLabel,
    series: [{ name: yLabel, points: updates.map((record) => [record.update, of(record)]) }],
  });
  return [
    plot('Gradient', 'norm before clipping', ({ gradNorm }) => gradNorm),
    plot('Learning rate', 'learning rate', ({ learningRate }) => learningRate),
    plot('Speed', 'samples a second', ({ samplesPerSecond }) => samplesPerSecond),
  ];
}
