/** The models of the package and the released ones: the list of all, or one in detail. */
import { fitsText, memoryText } from '../benchmark/model-need.js';
import { bytesText, machineMemory, type MachineMemory } from '../machine.js';
import { gsvaCommand } from '../program.js';
import type { ReleasedModel } from '../systems/catalogue/entry.js';
import type { Found, FoundModel } from '../systems/catalogue/find-files.js';
import { LISA_MODELS } from '../systems/catalogue/lisa-models.js';
import { downloadBytes, missingPieces, rangeText } from '../systems/catalogue/model-files.js';
import { BACKBONES, PACKAGED_MODELS, RELEASE, RELEASED_MODELS } from '../systems/catalogue/released-models.js';
import { SELF1E_MODELS, SELF1E_RELEASE } from '../systems/catalogue/self1e-models.js';
import * as reports from '../workflows/model-report.js';
import type { PackagedReport, ReleasedReport } from '../workflows/model-report.js';
import type { CommandContext } from './command.js';
import { lisaJson, lisaState, showLisaModel, showPackaged, showReleased, STATE_WORDS } from './model-detail.js';
import { self1eJson, self1eState, self1eText, showSelf1eModel } from './self1e-detail.js';
import type { Cell, Output } from './output.js';

/** @param size bytes of memory @returns exit code 1 where files have problems or the named model cannot be used yet */
export async function showModels(
  name: string | undefined,
  dir: string,
  size: number | undefined,
  context: CommandContext,
): Promise<number> {
  const { output } = context;
  const memory = size === undefined ? machineMemory() : { total: size, available: size, containerLimit: null };
  if (name === undefined) return listModels(dir, memory, size !== undefined, context);
  const heading = memoryText(memory, size !== undefined);
  const packaged = PACKAGED_MODELS.find((model) => model.name === name);
  if (packaged !== undefined) {
    const report = await reports.packagedDetail(packaged, memory);
    showPackaged(report, heading, output);
    output.json(reports.jsonOfPackaged(report));
    return report.found.state === 'there' ? 0 : 1;
  }
  const lisa = LISA_MODELS.find((model) => model.name === name);
  if (lisa !== undefined) return showLisaModel(lisa, dir, output);
  const self1e = SELF1E_MODELS.find((model) => model.name === name);
  if (self1e !== undefined) return showSelf1eModel(self1e, dir, output);
  const report = reports.releasedReport(reports.releasedNamed(name), dir, memory);
  showReleased(report, dir, heading, output);
  output.json(reports.jsonOfReleased(report, dir));
  return report.found.state === 'complete' ? 0 : 1;
}

function listModels(dir: string, memory: MachineMemory, isGiven: boolean, { output, signal }: CommandContext): number {
  const packaged = PACKAGED_MODELS.map(reports.packagedReport);
  const released = RELEASED_MODELS.map((model) => {
    signal.throwIfAborted();
    return reports.releasedReport(model, dir, memory);
  });
  showTable(packaged, released, output);
  showProblems([...packaged.map(({ found }) => found), ...released.flatMap(({ found }) => partsOf(found))], output);
  showMissing(dir, released, output);
  showNames(output);
  output.line();
  const lisa = LISA_MODELS.map((model) => [model.name, lisaState(model, dir), model.base, model.note]);
  output.table(['LISA', 'state', 'base', ''], lisa);
  const self1e = SELF1E_MODELS.map((model) => [
    model.name,
    self1eState(model, dir),
    model.base.name,
    self1eText(model),
  ]);
  output.line();
  output.table(['SELF1E', 'state', 'base', ''], self1e);
  output.line(
    output.colors.dim(` → https://huggingface.co/${SELF1E_RELEASE.hub} (which of them it holds is not published)`),
  );
  const count = (state: FoundModel['state']): number => released.filter(({ found }) => found.state === state).length;
  output.line(`\n${memoryText(memory, isGiven)}`);
  output.line(
    `${dir}: ${count('complete')} of ${released.length} released models can be used` +
      (count('broken') === 0 ? '' : `; ${count('broken')} have problems`) +
      `; \`${gsvaCommand('models NAME')}\` shows one with the commands to get it`,
  );
  const isAnyThere = count('complete') > 0 || packaged.some(({ found }) => found.state === 'there');
  const pass = isAnyThere && count('broken') === 0 && packaged.every(({ found }) => found.state !== 'broken');
  output.json({
    dir,
    pass,
    memory: { ...memory, given: isGiven },
    packaged: packaged.map(reports.jsonOfPackaged),
    released: released.map((report) => reports.jsonOfReleased(report, dir)),
    lisa: LISA_MODELS.map((model) => lisaJson(model, dir)),
    self1e: SELF1E_MODELS.map((model) => self1eJson(model, dir)),
  });
  return pass ? 0 : 1;
}

function showTable(packaged: readonly PackagedReport[], released: readonly ReleasedReport[], output: Output): void {
  const { green, yellow, red, dim } = output.colors;
  const paint = { absent: dim, broken: red, partial: yellow, files: yellow, complete: green };
  const stateCell = (state: keyof typeof paint): string => paint[state](STATE_WORDS[state]);
  output.table(
    ['model', '', 'state', 'download>', 'float32>', '16 bits>', 'memory'],
    [
      ...packaged.map(({ model, found }): Cell[] => {
        return [model.name, model.title, stateCell(reports.packagedState(found)), 'in this package', '', '', ''];
      }),
      ...released.map(({ model, found, need }): Cell[] => [
        model.name,
        model.title,
        stateCell(found.state),
        rangeText(downloadBytes(model)),
        bytesText(need.least.f32.process),
        bytesText(need.least.packed.process),
        fitsText(need),
      ]),
    ],
  );
}

function partsOf({ converted, llava, base, delta, clip, sam, weights }: FoundModel): Found[] {
  return [converted, llava, base, delta, clip, sam, weights].filter((part) => part !== null);
}

function showProblems(found: readonly Found[], output: Output): void {
  const faults = new Map(found.map(({ path, fault }) => [path, fault]));
  for (const [path, fault] of faults) {
    if (path === null || fault === null) continue;
    output.line(`\n${output.colors.red('problem')}  ${path}`);
    output.line(`         ${fault}`);
  }
}

/** Missing pieces, each once, however many models need it. */
function showMissing(dir: string, released: readonly ReleasedReport[], output: Output): void {
  const missing = missingPieces(dir, released);
  if (missing.length === 0) return;
  output.line(`\n${output.colors.bold('Missing, and where its authors have it:')}`);
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
    const all = RELEASED_MODELS.filter((model) => model.backbone === backbone);
    const listed = models.filter((model) => model.backbone === backbone);
    const isWhole = listed.length === all.length;
    return isWhole && all[0] !== undefined ? [all[0].name.replace(/-pt$/, '-*')] : listed.map(({ name }) => name);
  });
  return names.join(', ');
}

/** Who calls the files so: the authors name two of them. */
function showNames(output: Output): void {
  const of = (named: ReleasedModel['named']): string =>
    RELEASED_MODELS.flatMap((model) => (model.named === named ? [model.name] : [])).join(', ');
  output.line(
    output.colors.dim(
      `\n${of('authors')}: named so by their authors (${RELEASE.readme}). ${of('users')}: by those who use them. The other ` +
        'names are ours: which files are in the folders is not published.',
    ),
  );
}
