/** Models as they are found on this machine: files, memory, and the very commands that get, convert and use them. */
import { basename, join } from 'node:path';
import type { PlannedPrecision } from '../benchmark/inference-plan.js';
import { type ModelNeed, needOf } from '../benchmark/model-need.js';
import { RELEASED_COUNTS } from '../benchmark/released-counts.js';
import { UserError } from '../errors.js';
import { expectedFigures, type PublishedColumn } from '../evaluation/report/published-figures.js';
import type { MachineMemory } from '../machine.js';
import { didYouMean } from '../nearest-name.js';
import { gsvaCommand, packagePath } from '../program.js';
import type { PackagedModel, Piece, ReleasedModel } from '../systems/catalogue/entry.js';
import { findModel, findPackaged, type Found, type FoundModel, llavaPlace } from '../systems/catalogue/find-files.js';
import { LISA_MODELS } from '../systems/catalogue/lisa-models.js';
import * as files from '../systems/catalogue/model-files.js';
import { SELF1E_MODELS } from '../systems/catalogue/self1e-models.js';
import { PACKAGED_MODELS, RELEASE, RELEASED_MODELS } from '../systems/catalogue/released-models.js';

export type ReleasedReport = ReturnType<typeof releasedReport>;

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
  const names = [...RELEASED_MODELS, ...PACKAGED_MODELS, ...LISA_MODELS, ...SELF1E_MODELS].map((known) => known.name);
  const family = names.filter((known) => known.startsWith(name));
  const meant = family.length > 1 ? ` (did you mean one of ${family.join(', ')}?)` : didYouMean(name, names);
  throw new UserError(`There is no model "${name}"${meant}; known are ${names.join(', ')}.`);
}

export function releasedReport(model: ReleasedModel, dir: string, memory: MachineMemory) {
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
    files: files.fileRows(model, found, dir).map(({ what, found: part, path, licence }) => {
      return { what, state: part.state, path, fault: part.fault, licence };
    }),
    pieces: files.piecesOf(model).map(({ title, place, hub, url, source, bytes, bytesAre, sha256, licence }) => {
      return { title, place, hub, url: url ?? null, source, bytes, bytesAre, sha256: sha256 ?? null, licence };
    }),
    weights: {
      file: `${name}.bin`,
      namedBy: named,
      folders: RELEASE.folders,
      bytes: null,
      bytesBetween: files.weightsBytes(model),
      licence: RELEASE.licence,
    },
    downloadBetween: files.downloadBytes(model),
    convertedBetween: files.convertedBytes(model),
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

/** Commands of one purpose; lines that begin with "#" are for people. */
export interface CommandGroup {
  readonly purpose: string;
  readonly lines: readonly string[];
}

export interface CommandRequest {
  readonly dir: string;
  /** Files on this machine; null for all commands, whatever is there. */
  readonly found: FoundModel | null;
  /** Precision that the machine has memory for. */
  readonly precision: PlannedPrecision;
  /** Columns of the published figures to reproduce. */
  readonly columns: readonly PublishedColumn[];
}

export function commandsOf(model: ReleasedModel, request: CommandRequest): CommandGroup[] {
  const makers = {
    get: getting,
    convert: converting,
    segment: segmenting,
    measure: measuring,
    'fine-tune': finetuning,
  };
  const groups = Object.entries(makers).map(([purpose, linesOf]) => ({ purpose, lines: linesOf(model, request) }));
  return groups.filter(({ lines }) => lines.length > 0);
}

function getting(model: ReleasedModel, { dir, found }: CommandRequest): string[] {
  if (found?.converted.state === 'there') return [];
  const lines = files.missingOf(model, found).map((piece) => downloadOf(piece, dir));
  if (found?.weights.state === 'there') return lines;
  const own = `# save ${files.fileOf(model)} as ${join(dir, `${model.name}.bin`)}`;
  return [...lines, `# in a browser: ${RELEASE.folders.join(' or ')}`, own];
}

function downloadOf({ place, hub, files: wanted, exclude, url }: Piece, dir: string): string {
  const path = word(join(dir, place));
  if (hub === null) return `curl --fail --location --create-dirs --output ${path} ${url ?? ''}`;
  const part = wanted === undefined ? '' : ` ${wanted.join(' ')}`;
  const others = exclude === undefined ? '' : ` --exclude "${exclude}"`;
  return `hf download ${hub}${part}${others} --local-dir ${path}`;
}

function converting(model: ReleasedModel, { dir, found }: CommandRequest): string[] {
  if (found?.converted.state === 'there') return [];
  const { llava, conversation, clip, sam } = model.backbone;
  const at = (known: { readonly path: string | null } | null | undefined, place: string): string =>
    word(known?.path ?? join(dir, place));
  const whole = at(found?.llava, llavaPlace(model.backbone));
  const lines: string[] = [];
  if (!('whole' in llava) && found?.llava.state !== 'there') {
    // In the type in which LLaVA's own script adds them.
    const [base, delta] = [at(found?.base, llava.base.place), at(found?.delta, llava.delta.place)];
    lines.push(gsvaCommand(`convert delta --base ${base} --delta ${delta} --dtype f16 --out ${whole}`));
  }
  const style = conversation === 'llava_v1' ? '' : ` --conversation ${conversation}`;
  lines.push(
    gsvaCommand(
      `convert --mllm ${whole} --vision-tower ${at(found?.clip, clip.place)} --sam ${at(found?.sam, sam.place)} ` +
        `--weights ${at(found?.weights, `${model.name}.bin`)}${style} --out ${word(join(dir, model.name))}`,
    ),
  );
  return lines;
}

function segmenting(model: ReleasedModel, request: CommandRequest): string[] {
  const expressions = '"the red cup" "a dog on the left"';
  return [
    gsvaCommand(`segment ${loading(model, request)} --image photo.jpg --expressions ${expressions} --out found/`),
  ];
}

function measuring(model: ReleasedModel, request: CommandRequest): string[] {
  const sets = new Map(request.columns.map((column) => [`${column.dataset}-${column.split}`, column]));
  return [...sets].map(([name, { dataset, split }]) => {
    const run = `runs/${model.name}/${name}`;
    return gsvaCommand(
      `eval ${loading(model, request)} --batch 1 --data data --dataset ${dataset} --split ${split} ` +
        `--protocol reference strict --records ${run}.jsonl --report ${run}`,
    );
  });
}

function loading({ name }: ReleasedModel, { dir, precision }: CommandRequest): string {
  return `--model ${word(join(dir, name))}${precision === 'packed' ? ' --precision packed' : ''}`;
}

/** From the pretrained model, as the paper does. */
function finetuning(model: ReleasedModel, { dir }: CommandRequest): string[] {
  if (!model.config.endsWith('-pretrain.json5')) return [];
  const config = model.config.replace('-pretrain.json5', '-finetune-grefcoco.json5');
  const start = word(join(dir, model.name));
  const out = `runs/${basename(config, '.json5')}`;
  return [
    gsvaCommand(`train --config ${config} --set start=${start} --dry-run`),
    gsvaCommand(`train --config ${config} --set start=${start} --out ${out} --resume auto`),
  ];
}

/** Commands of a packaged model: `tiny` answers where none is named; `tiny-base` is only a start for training. */
export function packagedCommands(name: PackagedModel['name']): string[] {
  if (name === 'tiny-base') return [gsvaCommand('train --config configs/tiny.json5 --out runs/tiny')];
  const model = name === 'tiny' ? '' : ` --model ${name}`;
  return [
    gsvaCommand(
      `segment${model} --image data/samples/scene-3.jpg --expressions "purple circle" "yellow circle" --out found.png`,
    ),
    gsvaCommand('data synth --out data/synth'),
    gsvaCommand(`eval${model} --data data/synth`),
  ];
}

/** As a shell reads it as one word. */
function word(text: string): string {
  return /^[\w./:+=@%-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
