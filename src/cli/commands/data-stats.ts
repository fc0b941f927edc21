/** `gsva data stats`: numbers of images and expressions, next to the published ones. */
import { type CommandContext, defineCommand } from '../command.js';
import { option, required } from '../options/option.js';
import { TEXT, TEXTS } from '../options/values.js';
import { type DatasetReport, splitNames, totalFigures } from '../../data/audit/audit-datasets.js';
import type { Figures } from '../../data/catalogue/entry.js';
import { countsBySplit } from '../../data/own/own-data.js';
import { OwnProblems, readOwnFile } from '../../data/own/own-data-file.js';
import { ownDataSpec } from '../../data/own/own-data-line.js';
import { UsageError } from '../../errors.js';
import { amount, audit, nextTo } from '../data-audit.js';
import type { Cell } from '../output.js';
import { gsvaCommand } from '../../program.js';

export const command = defineCommand({
  positionals: {
    folder: required('Folder of the datasets, or a file of own data', TEXT),
    sets: option('Only these, such as grefcoco; all without', TEXTS),
  },
  examples: {
    'gsva data stats data': 'every dataset that is there',
    'gsva data stats my/data.jsonl': 'your own data, by split',
    'gsva data stats data grefcoco --json': 'one, for a program to read',
  },
  /** @returns the exit code: 1 where nothing could be counted */
  async run({ folder, sets = [] }, context) {
    return ownDataSpec(folder) === null ? publishedStats(folder, sets, context) : ownStats(folder, sets, context);
  },
});

const COLUMNS = ['images', 'expressions', 'multiTarget', 'noTarget', 'objects', 'conversations', 'questions'] as const;
const TITLES = [
  'images>',
  'expressions>',
  'several targets>',
  'no target>',
  'objects>',
  'conversations>',
  'questions>',
];

async function publishedStats(folder: string, sets: readonly string[], context: CommandContext): Promise<number> {
  const { output } = context;
  const reports = (await audit(folder, sets, false, context)).filter(({ state }) => state !== 'absent');
  const counted = reports.filter(({ figures }) => figures !== null);
  for (const { entry, problems, figures } of reports) {
    const why = problems.find(({ kind }) => kind === 'unreadable file') ?? problems[0];
    if (figures === null) context.onNote(`${entry.name} could not be read: ${why?.examples[0] ?? ''}`);
  }
  if (counted.length > 0) {
    output.table(['data set', 'split', ...TITLES], counted.flatMap(rowsOf));
    output.line('\nIn brackets the published numbers:');
    for (const { entry } of counted) {
      if (entry.published.by !== '') output.line(` ${entry.name}: ${entry.published.by}`);
    }
  } else {
    const check = gsvaCommand(`data check ${folder}`);
    output.line(`${folder}: no dataset was found that could be counted; ${check} lists what is missing`);
  }
  output.json({
    folder,
    datasets: counted.map((report) => {
      const { name, title, published } = report.entry;
      return { name, title, splits: report.figures?.splits, total: totalFigures(report), published };
    }),
  });
  return counted.length > 0 ? 0 : 1;
}

const OWN_COLUMNS = ['images', 'expressions', 'multiPart', 'absent'] as const;

/** A file of own data: what its lines say; masks and pictures are looked at by `gsva data validate`. */
async function ownStats(file: string, sets: readonly string[], context: CommandContext): Promise<number> {
  const { output } = context;
  if (sets.length > 0) throw new UsageError(`${file} is one set of own data; leave out ${sets.join(' ')}`);
  const problems = new OwnProblems(1);
  const splits = countsBySplit((await readOwnFile(file, problems)).images);
  if (problems.total > 0) {
    context.onNote(
      `${problems.total} problems are not counted (${problems.first[0]?.message ?? ''}); ` +
        gsvaCommand(`data validate ${file}`),
    );
  }
  const total = OWN_COLUMNS.map((column) => splits.reduce((sum, split) => sum + split[column], 0));
  output.table(
    ['split', 'images>', 'expressions>', 'of several parts>', 'absent>'],
    [
      ...splits.map((split): Cell[] => [split.split, ...OWN_COLUMNS.map((column) => amount(split[column]))]),
      ...(splits.length > 1 ? [['all', ...total.map(amount)]] : []),
    ],
  );
  output.json({ file, splits, problems: problems.total });
  return splits.length > 0 ? 0 : 1;
}

function rowsOf(report: DatasetReport): Cell[][] {
  const { entry, figures } = report;
  const names = splitNames(report);
  const row = (split: string, found: Figures, published: Figures): Cell[] => {
    return [entry.name, split, ...COLUMNS.map((column) => nextTo(found[column], published[column]))];
  };
  const rows = names.map((split) => row(split, figures?.splits[split] ?? {}, entry.published.splits[split] ?? {}));
  return names.length === 1 ? rows : [...rows, row('all', totalFigures(report), entry.published.total)];
}
