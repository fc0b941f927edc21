/** `gsva report compare`: two evaluations over the same expressions, or two trainings. */
import { defineCommand } from '../command.js';
import { option, required, withDefault } from '../options/option.js';
import { SEED, TEXT, wholeNumber } from '../options/values.js';

export const command = defineCommand({
  positionals: {
    a: required('Records of an evaluation, or the folder of a training', TEXT),
    b: required('Another one of the same kind; differences are b − a', TEXT),
  },
  options: {
    out: option(
      'Folder for the comparison as a page (HTML, Markdown, JSON), with the curves of trainings over each other',
      TEXT,
    ),
    resamples: withDefault(
      'Records: how often images are drawn with replacement',
      wholeNumber({ min: 100, max: 1_000_000 }),
      10_000,
    ),
    seed: withDefault('Records: the same seed gives the same intervals', SEED, 1),
  },
  examples: [
    ['gsva report compare runs/before.jsonl runs/after.jsonl', 'what changed, and how far it may be chance'],
    ['gsva report compare runs/before.jsonl runs/after.jsonl --json', 'for a program to read'],
    ['gsva report compare runs/first runs/second --out runs/compared', 'two trainings: configurations, course, curves'],
  ],
  async run(args, { output }) {
    const { compare } = await import('../../workflows/compare.js');
    const { sections, notes, facts, report } = compare(args);
    for (const { title, table, notes: own } of sections) {
      output.line(title);
      if (table !== null) output.table(table.head, table.rows);
      for (const note of own) output.line(note);
      output.line();
    }
    for (const note of notes) output.line(note);
    if (report !== null) output.line(report);
    output.json({ ...facts, ...(report === null ? {} : { report }) });
    return 0;
  },
});
