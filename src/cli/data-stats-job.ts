/** The work behind `gsva data stats`. */
import type { DatasetReport } from '../data/audit/audit-datasets.js';
import type { Figures } from '../data/catalogue/entry.js';
import { countsBySplit } from '../data/own/own-data-check.js';
import { OwnProblems, readOwnFile } from '../data/own/own-data-file.js';
import { ownDataSpec } from '../data/own/own-data-spec.js';
import { UsageError } from '../errors.js';
import { type AuditRequest, amount, audit, beside, splitNames, totalFigures } from './data-audit.js';
import type { Cell } from './output.js';
import type { VerbContext } from './verb.js';
import { gsvaCommand } from '../program.js';

const COLUMNS = ['images', 'expressions', 'multiTarget', 'noTarget', 'objects', 'conversations'] as const;
const TITLES = ['images', 'expressions', 'several targets', 'no target', 'objects', 'conversations'];

/** @returns the exit code: 1 where nothing could be counted */
export async function runStats(request: AuditRequest, context: VerbContext): Promise<number> {
  if (ownDataSpec(request.folder) !== null) return ownStats(request, context);
  const { output } = context;
  const reports = (await audit(request, false, context)).filter(({ state }) => state !== 'absent');
  const counted = reports.filter(({ figures }) => figures !== null);
  for (const { entry, problems, figures } of reports) {
    const why = problems.find(({ kind }) => kind === 'unreadable file') ?? problems[0];
    if (figures === null) context.note(`${entry.name} could not be read: ${why?.examples[0] ?? ''}`);
  }
  if (counted.length > 0) {
    output.table(['data set', 'split', ...TITLES], counted.flatMap(rowsOf), {
      align: ['left', 'left', ...TITLES.map(() => 'right' as const)],
    });
    output.line();
    output.line('In brackets what is published:');
    for (const { entry } of counted) {
      if (entry.published.by !== '') output.line(` ${entry.name}: ${entry.published.by}`);
    }
  } else {
    const check = gsvaCommand(`data check ${request.folder}`);
    output.line(`${request.folder}: no dataset was found that could be counted; ${check} says what is missing`);
  }
  output.json({
    folder: request.folder,
    datasets: counted.map((report) => ({
      name: report.entry.name,
      title: report.entry.title,
      splits: report.figures?.splits,
      total: totalFigures(report),
      published: report.entry.published,
    })),
  });
  return counted.length > 0 ? 0 : 1;
}

const OWN_COLUMNS = ['images', 'expressions', 'multiPart', 'absent'] as const;

/** A file of own data: what its lines say; masks and pictures are looked at by `gsva data validate`. */
async function ownStats({ folder: file, sets }: AuditRequest, context: VerbContext): Promise<number> {
  const { output } = context;
  if (sets.length > 0) throw new UsageError(`${file} is one set of own data; leave out ${sets.join(' ')}`);
  const problems = new OwnProblems(1);
  const splits = countsBySplit((await readOwnFile(file, problems)).images);
  if (problems.total > 0) {
    context.note(
      `${problems.total} problems are not counted (${problems.first[0]?.message ?? ''}); ` +
        gsvaCommand(`data validate ${file}`),
    );
  }
  const total = OWN_COLUMNS.map((column) => splits.reduce((sum, split) => sum + split[column], 0));
  output.table(
    ['split', 'images', 'expressions', 'of several parts', 'absent'],
    [
      ...splits.map((split): Cell[] => [split.split, ...OWN_COLUMNS.map((column) => amount(split[column]))]),
      ...(splits.length > 1 ? [['all', ...total.map(amount)]] : []),
    ],
    { align: ['left', 'right', 'right', 'right', 'right'] },
  );
  output.json({ file, splits, problems: problems.total });
  return splits.length > 0 ? 0 : 1;
}

function rowsOf(report: DatasetReport): Cell[][] {
  const { entry, figures } = report;
  const names = splitNames(report);
  const rows = names.map((split) =>
    row(entry.name, split, figures?.splits[split] ?? {}, entry.published.splits[split] ?? {}),
  );
  return names.length === 1 ? rows : [...rows, row(entry.name, 'all', totalFigures(report), entry.published.total)];
}

function row(name: string, split: string, found: Figures, published: Figures): Cell[] {
  return [name, split, ...COLUMNS.map((column) => beside(found[column], published[column]))];
}
