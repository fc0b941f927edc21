/** Models as they are found on this machine: files, memory, commands; for programs as plain data (`gsva models --json`). */
import { RELEASED_COUNTS } from '../benchmark/released-counts.js';
import type { PackagedModel, ReleasedModel } from '../systems/catalogue/entry.js';
import { findModel, findPackaged, type Found, type FoundModel } from '../systems/catalogue/find-files.js';
import { LISA_MODELS } from '../systems/catalogue/lisa-models.js';
import { PACKAGED_MODELS, RELEASE, RELEASED_MODELS } from '../systems/catalogue/released-models.js';
import { UserError } from '../errors.js';
import type { MachineMemory } from '../machine.js';
import { didYouMean } from '../nearest-name.js';
import { packagePath } from '../program.js';
import { type CommandGroup, commandsOf, packagedCommands } from './model-commands.js';
import { expectedFigures } from '../evaluation/report/expected-figures.js';
import { convertedBytes, downloadBytes, fileRows, piecesOf, weightsBytes } from '../systems/catalogue/model-files.js';
import { type ModelNeed, needOf } from '../benchmark/model-need.js';

export interface ReleasedReport {
  readonly model: ReleasedModel;
  readonly found: FoundModel;
  readonly need: ModelNeed;
}

export interface PackagedReport {
  readonly model: PackagedModel;
  readonly found: Found;
  /** Null in the list, and where its sizes cannot be read. */
  readonly need: ModelNeed | null;
}

export function releasedNamed(name: string): ReleasedModel {
  // The name of its file counts too.
  const model = RELEASED_MODELS.find((known) => known.name === name.replace(/\.bin$/, ''));
  if (model !== undefined) return model;
  const names = [...RELEASED_MODELS, ...PACKAGED_MODELS, ...LISA_MODELS].map((known) => known.name);
  const family = names.filter((known) => known.startsWith(name));
  const meant = family.length > 1 ? ` (did you mean one of ${family.join(', ')}?)` : didYouMean(name, names);
  throw new UserError(`There is no model "${name}"${meant}; known are ${names.join(', ')}.`);
}

export function releasedReport(model: ReleasedModel, dir: string, memory: MachineMemory): ReleasedReport {
  const found = findModel(model, { dir, env: process.env });
  return { model, found, need: needOf(RELEASED_COUNTS[model.backbone.name], memory) };
}

export function packagedReport(model: PackagedModel): PackagedReport {
  return { model, found: findPackaged(packagePath(model.folder)), need: null };
}

export function packagedState({ state }: Found): 'complete' | 'absent' | 'broken' {
  return ({ there: 'complete', missing: 'absent', broken: 'broken' } as const)[state];
}

/** With its memory, which takes a second to count. */
export async function packagedDetail(model: PackagedModel, memory: MachineMemory): Promise<PackagedReport> {
  const report = packagedReport(model);
  if (report.found.state !== 'there') return report;
  const [{ countInference }, { readPlanSource }] = await Promise.all([
    import('../benchmark/inference-plan.js'),
    import('../benchmark/plan-source.js'),
  ]);
  const source = readPlanSource(packagePath(model.folder, 'config.json'));
  return { ...report, need: needOf(await countInference(source.model), memory) };
}

/** With the precision that the memory allows. */
export function commandGroups({ model, found, need }: ReleasedReport, dir: string): CommandGroup[] {
  const precision = need.fits === 'packed' ? 'packed' : 'f32';
  return commandsOf(model, { dir, found, precision, columns: expectedFigures(model) });
}

export function jsonOfReleased(report: ReleasedReport, dir: string): object {
  const { model, found, need } = report;
  const { name, title, backbone, config, named, logged } = model;
  return {
    name,
    title,
    state: found.state,
    pass: found.state === 'complete',
    backbone: backbone.name,
    conversation: backbone.conversation,
    loraRank: backbone.loraRank,
    parameters: backbone.numbers.all,
    trained: backbone.numbers.trained,
    config,
    files: fileRows(model, found, dir).map(({ what, found: part, path, licence }) => {
      return { what, state: part.state, path, fault: part.fault, licence };
    }),
    pieces: piecesOf(model).map(({ title, place, hub, url, source, bytes, bytesAre, sha256, licence }) => {
      return { title, place, hub, url: url ?? null, source, bytes, bytesAre, sha256: sha256 ?? null, licence };
    }),
    weights: {
      file: `${name}.bin`,
      namedBy: named,
      folders: RELEASE.folders,
      bytes: null,
      bytesBetween: weightsBytes(model),
      licence: RELEASE.licence,
    },
    downloadBetween: downloadBytes(model),
    convertedBetween: convertedBytes(model),
    memory: { fits: need.fits, engines: need.engines },
    published: expectedFigures(model),
    logged,
    commands: commandGroups(report, dir),
  };
}

export function jsonOfPackaged({ model, found, need }: PackagedReport): object {
  return {
    name: model.name,
    title: model.title,
    state: packagedState(found),
    pass: found.state === 'there',
    path: found.path,
    fault: found.fault,
    memory: need === null ? null : { fits: need.fits, engines: need.engines },
    commands: [{ purpose: 'use it', lines: packagedCommands(model.name) }],
  };
}
