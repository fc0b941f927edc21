/** The work behind `gsva models`. */
import { RELEASED_COUNTS } from '../benchmark/released-counts.js';
import { UserError } from '../errors.js';
import { bytesText, machineMemory, type MachineMemory } from '../machine.js';
import type { PackagedModel, ReleasedModel } from '../checkpoints/catalogue/entry.js';
import { findModel, findPackaged, type Found, type FoundModel } from '../checkpoints/catalogue/find-files.js';
import { BACKBONES, PACKAGED_MODELS, RELEASE, RELEASED_MODELS } from '../checkpoints/catalogue/released-models.js';
import { didYouMean } from '../nearest-name.js';
import { packagePath } from '../program.js';
import { showPackaged, showReleased } from './models-detail.js';
import { downloadBytes, missingPieces, rangeText } from './models-files.js';
import { jsonOfPackaged, jsonOfReleased } from './models-json.js';
import { fitsText, memoryText, needOf } from './models-memory.js';
import { type PackagedReport, type ReleasedReport, STATE_WORDS } from './models-report.js';
import type { Cell } from './output.js';
import type { VerbContext } from './verb.js';
import { gsvaCommand } from '../program.js';

export interface ModelsRequest {
  /** One model in detail; null for the list. */
  readonly name: string | null;
  readonly dir: string;
  /** Bytes; null for what this machine has. */
  readonly memory: number | null;
}

/** @returns the exit code: 1 where files have problems, or the model that is named cannot be used yet */
export async function runModels(request: ModelsRequest, context: VerbContext): Promise<number> {
  const { name, memory: given } = request;
  const memory = given === null ? machineMemory() : { total: given, available: given, containerLimit: null };
  const heading = memoryText(memory, given !== null);
  if (name === null) return listModels(request, memory, heading, context);
  const packaged = PACKAGED_MODELS.find((model) => model.name === name);
  if (packaged !== undefined) {
    const report = await packagedDetail(packaged, memory);
    showPackaged(report, heading, context);
    context.output.json(jsonOfPackaged(report));
    return report.found.state === 'there' ? 0 : 1;
  }
  const report = releasedReport(releasedNamed(name), request, memory);
  showReleased(report, request.dir, heading, context);
  context.output.json(jsonOfReleased(report, request.dir));
  return report.found.state === 'complete' ? 0 : 1;
}

function releasedNamed(name: string): ReleasedModel {
  // As the file is called, too.
  const model = RELEASED_MODELS.find((known) => known.name === name.replace(/\.bin$/, ''));
  if (model !== undefined) return model;
  const names = [...RELEASED_MODELS, ...PACKAGED_MODELS].map((known) => known.name);
  const family = names.filter((known) => known.startsWith(name));
  const meant = family.length > 1 ? ` (did you mean one of ${family.join(', ')}?)` : didYouMean(name, names);
  throw new UserError(`There is no model "${name}"${meant}; known are ${names.join(', ')}.`);
}

function releasedReport(model: ReleasedModel, { dir }: ModelsRequest, memory: MachineMemory): ReleasedReport {
  const found = findModel(model, { dir, env: process.env });
  return { model, found, need: needOf(RELEASED_COUNTS[model.backbone.name], memory) };
}

function packagedReport(model: PackagedModel): PackagedReport {
  return { model, found: findPackaged(packagePath(model.folder)), need: null };
}

/** With its memory, which takes a second to count. */
async function packagedDetail(model: PackagedModel, memory: MachineMemory): Promise<PackagedReport> {
  const report = packagedReport(model);
  if (report.found.state !== 'there') return report;
  const [{ countInference }, { readPlanSource }] = await Promise.all([
    import('../benchmark/inference-plan.js'),
    import('../benchmark/plan-source.js'),
  ]);
  const source = readPlanSource(packagePath(model.folder, 'config.json'));
  return { ...report, need: needOf(await countInference(source.model), memory) };
}

function listModels(request: ModelsRequest, memory: MachineMemory, heading: string, context: VerbContext): number {
  const { output, signal } = context;
  const packaged = PACKAGED_MODELS.map(packagedReport);
  const released: ReleasedReport[] = [];
  for (const model of RELEASED_MODELS) {
    signal.throwIfAborted();
    released.push(releasedReport(model, request, memory));
  }
  showTable(packaged, released, context);
  showProblems([...packaged.map(({ found }) => found), ...released.flatMap(({ found }) => partsOf(found))], context);
  showMissing(request.dir, released, context);
  showNames(context);
  const count = (state: FoundModel['state']): number => released.filter(({ found }) => found.state === state).length;
  output.line(`\n${heading}`);
  output.line(
    `${request.dir}: ${count('complete')} of ${released.length} released models can be used` +
      (count('broken') === 0 ? '' : `; ${count('broken')} have problems`) +
      `; \`${gsvaCommand('models NAME')}\` shows one with the commands to get it`,
  );
  const pass = count('broken') === 0 && packaged.every(({ found }) => found.state !== 'broken');
  const isAnyThere = count('complete') > 0 || packaged.some(({ found }) => found.state === 'there');
  output.json({
    dir: request.dir,
    pass: pass && isAnyThere,
    memory: { ...memory, given: request.memory !== null },
    packaged: packaged.map(jsonOfPackaged),
    released: released.map((report) => jsonOfReleased(report, request.dir)),
  });
  return pass && isAnyThere ? 0 : 1;
}

function showTable(
  packaged: readonly PackagedReport[],
  released: readonly ReleasedReport[],
  { output }: VerbContext,
): void {
  const { green, yellow, red, dim } = output.colors;
  const paint = { absent: dim, broken: red, partial: yellow, files: yellow, complete: green };
  output.table(
    ['model', '', 'state', 'download', 'float32', '16 bits', 'memory'],
    [
      ...packaged.map(({ model, found }): Cell[] => {
        const state = found.state === 'there' ? 'complete' : found.state === 'missing' ? 'absent' : 'broken';
        return [model.name, model.title, paint[state](STATE_WORDS[state]), 'in this package', '', '', ''];
      }),
      ...released.map(({ model, found, need }): Cell[] => [
        model.name,
        model.title,
        paint[found.state](STATE_WORDS[found.state]),
        rangeText(downloadBytes(model)),
        bytesText(need.least.f32.process),
        bytesText(need.least.packed.process),
        fitsText(need),
      ]),
    ],
    { align: ['left', 'left', 'left', 'right', 'right', 'right', 'left'] },
  );
}

function partsOf({ converted, llava, base, delta, clip, sam, weights }: FoundModel): Found[] {
  return [converted, llava, base, delta, clip, sam, weights].filter((part) => part !== null);
}

function showProblems(found: readonly Found[], { output }: VerbContext): void {
  const faults = new Map(found.map(({ path, fault }) => [path, fault]));
  for (const [path, fault] of faults) {
    if (path === null || fault === null) continue;
    output.line();
    output.line(`${output.colors.red('problem')}  ${path}`);
    output.line(`         ${fault}`);
  }
}

/** Missing pieces, each once, however many models need it. */
function showMissing(dir: string, released: readonly ReleasedReport[], { output }: VerbContext): void {
  const missing = missingPieces(dir, released);
  if (missing.length === 0) return;
  output.line();
  output.line(output.colors.bold('Missing, and where its authors have it:'));
  for (const { path, what, licence, models, sources } of missing) {
    output.line(` ${path}  ${output.colors.dim(`${what}; for ${namesOf(models)}`)}`);
    output.line(output.colors.dim(`   licence: ${licence}`));
    for (const source of sources) output.line(`   → ${source}`);
  }
}

/** All models of a size at once: "gsva-7b-*". */
function namesOf(models: readonly ReleasedModel[]): string {
  if (models.length === RELEASED_MODELS.length) return 'all';
  const names = BACKBONES.flatMap((backbone) => {
    const ofBackbone = (some: readonly ReleasedModel[]): ReleasedModel[] =>
      some.filter((model) => model.backbone === backbone);
    const [all, listed] = [ofBackbone(RELEASED_MODELS), ofBackbone(models)];
    const isWhole = listed.length === all.length;
    return isWhole && all[0] !== undefined ? [all[0].name.replace(/-pt$/, '-*')] : listed.map(({ name }) => name);
  });
  return names.join(', ');
}

/** Who calls the files so: the authors name two of them. */
function showNames({ output }: VerbContext): void {
  const of = (named: ReleasedModel['named']): string =>
    RELEASED_MODELS.filter((model) => model.named === named)
      .map(({ name }) => name)
      .join(', ');
  output.line(
    output.colors.dim(
      `\n${of('authors')}: named so by their authors (${RELEASE.readme}). ${of('users')}: by those who use them. The other ` +
        'names are ours: which files are in the folders is not published.',
    ),
  );
}
