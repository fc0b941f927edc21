/** The models of the package and the released ones: the list of all, or one in detail. */
import type { ReleasedModel } from '../systems/catalogue/entry.js';
import type { Found, FoundModel } from '../systems/catalogue/find-files.js';
import { BACKBONES, PACKAGED_MODELS, RELEASE, RELEASED_MODELS } from '../systems/catalogue/released-models.js';
import { bytesText, machineMemory, type MachineMemory } from '../machine.js';
import { gsvaCommand } from '../program.js';
import { downloadBytes, missingPieces, rangeText } from '../systems/catalogue/model-files.js';
import { fitsText, memoryText } from '../benchmark/model-need.js';
import {
  jsonOfPackaged,
  jsonOfReleased,
  packagedDetail,
  packagedReport,
  type PackagedReport,
  releasedNamed,
  releasedReport,
  type ReleasedReport,
} from '../workflows/model-report.js';
import type { CommandContext } from './command.js';
import { showPackaged, showReleased, STATE_WORDS } from './model-detail.js';
import type { Cell } from './output.js';

/** @param size bytes of memory @returns exit code 1 where files have problems or the named model cannot be used yet */
export async function showModels(
  name: string | undefined,
  dir: string,
  size: number | undefined,
  context: CommandContext,
): Promise<number> {
  const memory = size === undefined ? machineMemory() : { total: size, available: size, containerLimit: null };
  if (name === undefined) return listModels(dir, memory, size !== undefined, context);
  const heading = memoryText(memory, size !== undefined);
  const packaged = PACKAGED_MODELS.find((model) => model.name === name);
  if (packaged !== undefined) {
    const report = await packagedDetail(packaged, memory);
    showPackaged(report, heading, context.output);
    context.output.json(jsonOfPackaged(report));
    return report.found.state === 'there' ? 0 : 1;
  }
  const report = releasedReport(releasedNamed(name), dir, memory);
  showReleased(report, dir, heading, context.output);
  context.output.json(jsonOfReleased(report, dir));
  return report.found.state === 'complete' ? 0 : 1;
}

function listModels(dir: string, memory: MachineMemory, isGiven: boolean, context: CommandContext): number {
  const heading = memoryText(memory, isGiven);
  const { output, signal } = context;
  const packaged = PACKAGED_MODELS.map(packagedReport);
  const released: ReleasedReport[] = [];
  for (const model of RELEASED_MODELS) {
    signal.throwIfAborted();
    released.push(releasedReport(model, dir, memory));
  }
  showTable(packaged, released, context);
  showProblems([...packaged.map(({ found }) => found), ...released.flatMap(({ found }) => partsOf(found))], context);
  showMissing(dir, released, context);
  showNames(context);
  const count = (state: FoundModel['state']): number => released.filter(({ found }) => found.state === state).length;
  output.line(`\n${heading}`);
  output.line(
    `${dir}: ${count('complete')} of ${released.length} released models can be used` +
      (count('broken') === 0 ? '' : `; ${count('broken')} have problems`) +
      `; \`${gsvaCommand('models NAME')}\` shows one with the commands to get it`,
  );
  const pass = count('broken') === 0 && packaged.every(({ found }) => found.state !== 'broken');
  const isAnyThere = count('complete') > 0 || packaged.some(({ found }) => found.state === 'there');
  output.json({
    dir,
    pass: pass && isAnyThere,
    memory: { ...memory, given: isGiven },
    packaged: packaged.map(jsonOfPackaged),
    released: released.map((report) => jsonOfReleased(report, dir)),
  });
  return pass && isAnyThere ? 0 : 1;
}

function showTable(
  packaged: readonly PackagedReport[],
  released: readonly ReleasedReport[],
  { output }: CommandContext,
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
    ['left', 'left', 'left', 'right', 'right', 'right', 'left'],
  );
}

function partsOf({ converted, llava, base, delta, clip, sam, weights }: FoundModel): Found[] {
  return [converted, llava, base, delta, clip, sam, weights].filter((part) => part !== null);
}

function showProblems(found: readonly Found[], { output }: CommandContext): void {
  const faults = new Map(found.map(({ path, fault }) => [path, fault]));
  for (const [path, fault] of faults) {
    if (path === null || fault === null) continue;
    output.line();
    output.line(`${output.colors.red('problem')}  ${path}`);
    output.line(`         ${fault}`);
  }
}

/** Missing pieces, each once, however many models need it. */
function showMissing(dir: string, released: readonly ReleasedReport[], { output }: CommandContext): void {
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
function showNames({ output }: CommandContext): void {
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
