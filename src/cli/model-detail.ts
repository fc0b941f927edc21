/** One model in detail: its files, memory, published figures, and the commands that use it. */
import type { ModelNeed } from '../benchmark/model-need.js';
import { expectedFigures } from '../evaluation/report/published-figures.js';
import { bytesText, freeDisk } from '../machine.js';
import type { ReleasedModel } from '../systems/catalogue/entry.js';
import { lisaCommands, lisaFolder, type LisaModel } from '../systems/catalogue/lisa-models.js';
import * as files from '../systems/catalogue/model-files.js';
import { commandGroups, packagedCommands } from '../workflows/model-report.js';
import type { PackagedReport, ReleasedReport } from '../workflows/model-report.js';
import type { Output } from './output.js';

export const STATE_WORDS = {
  absent: 'absent',
  broken: 'problems',
  partial: 'files missing',
  files: 'to convert',
  complete: 'complete',
} as const;

const FILE_WORDS = { there: 'there', missing: 'missing', broken: 'problem' } as const;

export function showReleased(report: ReleasedReport, dir: string, heading: string, output: Output): void {
  const { bold } = output.colors;
  const { model, found, need } = report;
  const { conversation, loraRank, numbers } = model.backbone;
  output.line(`${bold(model.name)}  ${model.title}: ${STATE_WORDS[found.state]}`);
  output.line(
    `${(numbers.all / 1e9).toFixed(2)} B parameters, LoRA of rank ${loraRank}, conversation ${conversation}; ` +
      `trained by ${model.config}`,
  );
  output.line();
  showFiles(report, dir, output);
  output.line();
  showMemory(need, heading, output);
  output.line();
  showFigures(model, output);
  for (const { purpose, lines } of commandGroups(report, dir)) {
    output.line(`\n${bold(`To ${purpose}:`)}`);
    for (const line of lines) output.line(` ${line}`);
  }
}

function showFiles({ model, found }: ReleasedReport, dir: string, output: Output): void {
  const { green, red, dim } = output.colors;
  const paint = { there: green, missing: dim, broken: red };
  const rows = files.fileRows(model, found, dir);
  const cells = rows.map(({ what, found: part, path, size, licence }) => {
    return [what, paint[part.state](FILE_WORDS[part.state]), size, path, licence];
  });
  output.table(['file', '', 'size>', 'where', 'licence'], cells);
  for (const { found: part, path } of rows) {
    if (part.fault !== null) output.line(`${red('problem')}  ${path}: ${part.fault}`);
  }
  for (const { place, sha256 } of [model.backbone.clip, model.backbone.sam]) {
    if (sha256 !== undefined) output.line(dim(` SHA-256 of ${place}, ${sha256.file}: ${sha256.digest}`));
  }
  output.line(` GSVA's own: ${files.fileOf(model)}; ${files.weightsText(model)}`);
  const free = freeDisk(dir);
  output.line(
    ` disk: ${files.rangeText(files.downloadBytes(model))} to download, ` +
      `${files.rangeText(files.convertedBytes(model))} when converted` +
      (free === null ? '' : `; ${files.diskText(free)} free in ${dir}`),
  );
}

function showMemory(need: ModelNeed, heading: string, output: Output): void {
  const rows = need.engines.map(({ engine, precision, process, lacking }) => {
    const option = precision === 'f32' ? '--precision f32' : '--precision packed (16 bits)';
    return [option, engine, bytesText(process), lacking === null ? 'yes' : `no: ${lacking}`];
  });
  output.table(['memory of a question', 'engine', 'process>', 'fits'], rows);
  output.line(` ${heading}`);
}

function showFigures(model: ReleasedModel, output: Output): void {
  const runs = new Map<string, { readonly row: readonly string[]; readonly texts: string[] }>();
  for (const { table, dataset, split, figure, published } of expectedFigures(model)) {
    const row = [table, dataset, split];
    const run = runs.get(row.join(' ')) ?? { row, texts: [] };
    run.texts.push(`${figure} ${published.toFixed(2)}`);
    runs.set(row.join(' '), run);
  }
  const rows = [...runs.values()].map(({ row, texts }) => [...row, texts.join(', ')]);
  output.table(['published', 'data set', 'split', 'figures, in percent'], rows);
  if (model.logged.length > 0) output.line(' and what the authors log for the released file, in float32, on grefcoco:');
  for (const { split, ...figures } of model.logged) {
    const texts = Object.entries(figures).map(([figure, value]) => `${figure} ${(100 * value).toFixed(2)}`);
    output.line(` ${split}: ${texts.join(', ')}`);
  }
}

export function showPackaged({ model, found, need }: PackagedReport, heading: string, output: Output): void {
  output.line(`${output.colors.bold(model.name)}  ${model.title}: ${FILE_WORDS[found.state]}`);
  output.line(found.path ?? model.folder);
  if (found.fault !== null) output.line(`${output.colors.red('problem')}  ${found.fault}`);
  if (need === null) return;
  output.line();
  showMemory(need, heading, output);
  output.line(`\n${output.colors.bold('To use it:')}`);
  for (const line of packagedCommands(model.name)) output.line(` ${line}`);
}

/** @returns exit code 1 where it is missing */
export function showLisaModel(model: LisaModel, dir: string, output: Output): number {
  output.line(`${output.colors.bold(model.name)}  ${lisaState(model, dir)}`);
  const code = model.code === null ? 'the current published code' : `only commit ${model.code} of the published code`;
  output.line(`made from ${model.base}, read by ${code}; ${model.note}`);
  if (model.explains) output.line('trained with explanations');
  for (const [split, [gIoU, cIoU]] of Object.entries(model.figures)) {
    output.line(`published on ReasonSeg ${split}: gIoU ${gIoU.toFixed(1)}, cIoU ${cIoU.toFixed(1)}`);
  }
  output.line();
  for (const line of lisaCommands(model, dir)) output.line(` ${line}`);
  output.json(lisaJson(model, dir));
  return lisaFolder(model, dir) === null ? 1 : 0;
}

export function lisaJson(model: LisaModel, dir: string): object {
  return { ...model, path: lisaFolder(model, dir), commands: lisaCommands(model, dir) };
}

export function lisaState(model: LisaModel, dir: string): string {
  return lisaFolder(model, dir) === null ? 'absent' : 'there';
}
