/** `gsva data check`: which datasets are in a folder, and what they lack; `data validate`: faults of own data by line. */
import { type DatasetReport, type FoundPart, partPath, totalFigures } from '../../data/audit/audit-datasets.js';
import { GB, MB } from '../../data/catalogue/entry.js';
import { checkOwnData } from '../../data/own/own-data.js';
import { counted } from '../../workflows/watch.js';
import { defineCommand } from '../command.js';
import { amount, audit, nextTo } from '../data-audit.js';
import { option, required, withDefault } from '../options/option.js';
import { TEXT, TEXTS, wholeNumber } from '../options/values.js';
import type { Cell, Output } from '../output.js';

export const commands = {
  'data check': defineCommand({
    positionals: {
      folder: required('Folder of the datasets', TEXT),
      sets: option('Only these, such as grefcoco; all without', TEXTS),
    },
    examples: {
      'gsva data check data': 'every dataset of the paper, and where to get what is missing',
      'gsva data check data refcoco+ grefcoco': 'these two; exit code 1 where one is missing or has a problem',
      'gsva data check data --json': 'for a program to read',
    },
    /** @returns the exit code: 1 where a dataset has problems, one that was named is absent, or all are */
    async run({ folder, sets = [] }, context) {
      const reports = await audit(folder, sets, true, context);
      const isFound = (report: DatasetReport): boolean => report.state !== 'absent';
      const pass =
        reports.every(({ state }) => state !== 'broken') &&
        (sets.length > 0 ? reports.every(isFound) : reports.some(isFound));
      const { output } = context;
      showTable(reports, output);
      showProblems(reports, output);
      for (const { entry, figures } of reports) {
        for (const note of figures?.notes ?? []) output.line(output.colors.dim(`\nnote     ${entry.name}  ${note}`));
      }
      showMissing(reports, output);
      output.line(summary(folder, sets, reports));
      output.json({ folder, pass, datasets: reports.map(jsonOf) });
      return pass ? 0 : 1;
    },
  }),
  'data validate': defineCommand({
    positionals: { file: required('The file', TEXT) },
    options: { show: withDefault('Problems to print at most', wholeNumber(1, 1_000_000), 20) },
    examples: {
      'gsva data validate my/data.jsonl': 'its contents, and faults by line',
      'gsva data validate my/data.jsonl --json --show 1000': 'for a program to read',
    },
    /** @returns the exit code: 1 where there are problems, or nothing else */
    async run({ file, show }, context) {
      const { output } = context;
      const { splits, problems } = await checkOwnData(file, show, counted(context, 'check'));
      const pass = problems.total === 0 && splits.length > 0;
      for (const { message } of problems.first) output.line(message);
      if (problems.total > problems.first.length) output.line(`and ${problems.total - problems.first.length} more`);
      if (splits.length > 0) {
        const rows = splits.map((each) => [each.split, each.images, each.expressions, each.multiPart, each.absent]);
        output.table(['split', 'images', 'expressions', 'of several parts', 'absent'], rows);
      }
      const count = problems.total === 1 ? 'one problem' : `${problems.total} problems`;
      output.line(`${file}: ${pass ? 'fine' : problems.total === 0 ? 'nothing is in it' : count}`);
      output.json({ file, pass, splits, problems: problems.first, totalProblems: problems.total });
      return pass ? 0 : 1;
    },
  }),
};

const STATE_WORDS = {
  absent: 'absent',
  broken: 'problems',
  partial: 'fewer than published',
  sound: 'no problems',
  complete: 'complete',
} as const;

function showTable(reports: readonly DatasetReport[], output: Output): void {
  const { green, yellow, red, dim } = output.colors;
  const paint = { absent: dim, broken: red, partial: yellow, sound: green, complete: green };
  output.table(
    ['data set', '', 'state', 'images (published)>', 'expressions (published)>', 'problems>'],
    reports.map((report): Cell[] => {
      const { state, problems, figures } = report;
      const { name, title, published } = report.entry;
      const { images, expressions } = totalFigures(report);
      const count = problems.reduce((sum, problem) => sum + problem.count, 0);
      const isCounted = figures !== null;
      return [
        name,
        title,
        paint[state](STATE_WORDS[state]),
        isCounted ? nextTo(images, published.total.images) : '',
        isCounted && expressions !== undefined ? nextTo(expressions, published.total.expressions) : '',
        count === 0 ? '' : amount(count),
      ];
    }),
  );
}

function showProblems(reports: readonly DatasetReport[], output: Output): void {
  const { red, bold, dim } = output.colors;
  for (const { entry, problems } of reports) {
    for (const { kind, count, examples } of problems) {
      output.line(`\n${red('problem')}  ${bold(entry.name)}  ${kind}${count === 1 ? '' : `, ${amount(count)} times`}`);
      for (const example of examples) output.line(`         ${example}`);
      if (count > examples.length) output.line(dim(`         and ${amount(count - examples.length)} more`));
    }
  }
}

/** Missing parts, each once, however many datasets need it. */
function showMissing(reports: readonly DatasetReport[], output: Output): void {
  const missing = new Map<string, { readonly part: FoundPart['part']; readonly sets: string[] }>();
  for (const { entry, parts } of reports) {
    for (const { part } of parts.filter(({ found }) => found === 0)) {
      const known = missing.get(partPath(part)) ?? { part, sets: [] };
      known.sets.push(entry.name);
      missing.set(partPath(part), known);
    }
  }
  if (missing.size === 0) return;
  output.line(`\n${output.colors.bold('Missing, and where its authors have it:')}`);
  for (const [path, { part, sets }] of missing) {
    const { holds, count, bytes, source, isOptional } = part;
    const what = [
      count === undefined ? holds : `${amount(count)} ${holds}`,
      ...(bytes === undefined ? [] : [`about ${bytes < GB ? `${bytes / MB} MB` : `${bytes / GB} GB`} to download`]),
      `for ${sets.join(', ')}`,
      ...(isOptional === undefined ? [] : [isOptional]),
    ];
    output.line(` ${path}  ${output.colors.dim(what.join('; '))}`);
    output.line(`   → ${source}`);
  }
}

function summary(folder: string, sets: readonly string[], reports: readonly DatasetReport[]): string {
  const there = reports.filter(({ state }) => state !== 'absent').length;
  const broken = reports.filter(({ state }) => state === 'broken').length;
  const named = sets.length > 0 ? reports.length - there : 0;
  const parts = [
    `\n${folder}: ${there} of ${reports.length} datasets are there`,
    broken === 0 ? 'none has a problem' : `${broken} ${broken === 1 ? 'has' : 'have'} problems`,
    ...(named === 0 ? [] : [`${named} of those named ${named === 1 ? 'is' : 'are'} missing`]),
  ];
  return parts.join('; ');
}

function jsonOf(report: DatasetReport): object {
  const { entry, state, figures, parts, problems } = report;
  const { name, title, published } = entry;
  return {
    ...{ name, title, state, images: figures?.images ?? null, splits: figures?.splits ?? null, published },
    parts: parts.map(({ part, found }) => {
      const { holds, count: expected = null, bytes = null, source } = part;
      return { path: partPath(part), holds, found, expected, bytes, source };
    }),
    problems,
    notes: figures?.notes ?? [],
  };
}
