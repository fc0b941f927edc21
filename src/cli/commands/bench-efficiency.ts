/** `gsva bench efficiency`: time of a question and peak memory of several models, side by side (SELF1E's Table 12). */
import { PARTS } from '../../benchmark/part-names.js';
import { median } from '../../median.js';
import { bytesText } from '../../machine.js';
import { packagePath } from '../../program.js';
import { type CommandContext, defineCommand } from '../command.js';
import { withDefault } from '../options/option.js';
import { TEXTS, requireFile, wholeNumber } from '../options/values.js';
import type { Output } from '../output.js';
import { runGsva } from '../own-process.js';

/** Both from the prepared image to the mask: the answer given, and as it is published that the system answers. */
const MEASURED = [PARTS.evaluatedImage, PARTS.question] as const;
type Measured = (typeof MEASURED)[number];

const CONFIGS = ['configs/bench-efficiency/self1e.json5', 'configs/bench-efficiency/gsva.json5'];

/** A benchmark's answer, as far as it is read here. */
interface Answer {
  readonly engine: string;
  readonly parts: readonly { readonly name: string; readonly runs: readonly number[] }[];
  readonly peakRss: number;
}

interface Efficiency {
  readonly config: string;
  readonly engine: string;
  /** Seconds of every counted run. */
  readonly runs: Readonly<Record<Measured, readonly number[]>>;
  readonly median: Readonly<Record<Measured, number>>;
  /** Bytes of a process that answers questions of that kind. */
  readonly peakRss: Readonly<Record<Measured, number>>;
}

export const command = defineCommand({
  options: {
    configs: withDefault(
      'Benchmarks to compare; the ratios are those of the first to the others',
      TEXTS,
      CONFIGS.map((file) => packagePath(file)),
      CONFIGS.join(' '),
    ),
    runs: withDefault('Counted runs of each measurement in a process, after one to warm up', wholeNumber(1, 1000), 3),
    rounds: withDefault('Processes of each measurement; the benchmarks take turns', wholeNumber(1, 100), 2),
  },
  examples: {
    'gsva bench efficiency --engine openblas --threads 2':
      "SELF1E and GSVA with one LLM at a quarter of SELF1E-8B's width",
  },
  async run({ configs, runs, rounds, engine, threads }, context) {
    for (const config of configs) requireFile('--configs', config);
    const hardware = [
      ...(engine === undefined ? [] : ['--engine', engine]),
      ...(threads === undefined ? [] : ['--threads', String(threads)]),
    ];
    const answers = configs.map((): Record<Measured, Answer[]> => ({
      [PARTS.evaluatedImage]: [],
      [PARTS.question]: [],
    }));
    for (let round = 0; round < rounds; round++) {
      for (const [i, config] of configs.entries()) {
        for (const part of MEASURED)
          answers[i]?.[part].push(await measured(config, part, [...hardware, '--runs', String(runs)], context));
      }
    }
    const found = configs.map((config, i) => efficiencyOf(config, answers[i] as Record<Measured, Answer[]>));
    show(found, context.output);
    context.output.json({ runs, rounds, models: found });
    return 0;
  },
});

/** A process of its own, so that its peak memory is that of this work. */
async function measured(config: string, part: Measured, options: readonly string[], context: CommandContext) {
  context.onNote(`measuring ${part} of ${config} ...`);
  const answer = await runGsva(['bench', '--config', config, '--only', part, ...options, '--json'], context);
  return JSON.parse(answer) as Answer;
}

function efficiencyOf(config: string, answers: Readonly<Record<Measured, readonly Answer[]>>): Efficiency {
  const each = <T>(of: (answers: readonly Answer[]) => T): Record<Measured, T> => ({
    [PARTS.evaluatedImage]: of(answers[PARTS.evaluatedImage]),
    [PARTS.question]: of(answers[PARTS.question]),
  });
  const runsOf = (own: readonly Answer[]): number[] => own.flatMap(({ parts }) => parts.flatMap(({ runs }) => runs));
  return {
    config,
    engine: answers[PARTS.question][0]?.engine ?? '',
    runs: each(runsOf),
    median: each((own) => median(runsOf(own))),
    peakRss: each((own) => Math.max(...own.map(({ peakRss }) => peakRss))),
  };
}

function show(models: readonly Efficiency[], output: Output): void {
  const [first] = models;
  if (first === undefined) return;
  output.line(first.engine);
  const rows = models.flatMap((model) =>
    MEASURED.map((part) => {
      const seconds = model.median[part];
      const spread = `${Math.min(...model.runs[part]).toFixed(3)} – ${Math.max(...model.runs[part]).toFixed(3)}`;
      const ratios =
        model === first ? ['', ''] : [first.median[part] / seconds, first.peakRss[part] / model.peakRss[part]];
      const [time, memory] = ratios.map((ratio) => (typeof ratio === 'number' ? `${ratio.toFixed(2)}×` : ratio));
      const cells = [seconds.toFixed(3), spread, (1 / seconds).toFixed(2), bytesText(model.peakRss[part])];
      return [model.config.replace(/^.*[/\\]/, ''), part, ...cells, time ?? '', memory ?? ''];
    }),
  );
  output.table(
    ['model', 'work', 'seconds>', 'min – max', 'per second>', 'peak memory>', 'first / this, time>', 'memory>'],
    rows,
  );
}
