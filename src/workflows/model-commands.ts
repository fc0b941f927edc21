/** The very commands that get, convert, ask, measure and fine-tune a released model. */
import { basename, join } from 'node:path';
import type { PlannedPrecision } from '../benchmark/inference-plan.js';
import type { PublishedColumn } from '../evaluation/report/published-figures.js';
import type { PackagedModel, Piece, ReleasedModel } from '../systems/catalogue/entry.js';
import { type FoundModel, llavaPlace } from '../systems/catalogue/find-files.js';
import { RELEASE } from '../systems/catalogue/released-models.js';
import { fileOf, missingOf } from '../systems/catalogue/model-files.js';
import { gsvaCommand } from '../program.js';

/** Commands of one purpose; lines that begin with "#" are for people. */
export interface CommandGroup {
  readonly purpose: string;
  readonly lines: readonly string[];
}

export interface CommandRequest {
  readonly dir: string;
  /** Files on this machine; null for all commands, whatever is there. */
  readonly found: FoundModel | null;
  /** That the machine has memory for. */
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
  const lines = missingOf(model, found).map((piece) => downloadOf(piece, dir));
  if (found?.weights.state === 'there') return lines;
  const own = `# save ${fileOf(model)} as ${join(dir, `${model.name}.bin`)}`;
  return [...lines, `# in a browser: ${RELEASE.folders.join(' or ')}`, own];
}

function downloadOf({ place, hub, files, exclude, url }: Piece, dir: string): string {
  const path = word(join(dir, place));
  if (hub === null) return `curl --fail --location --create-dirs --output ${path} ${url ?? ''}`;
  const part = files === undefined ? '' : ` ${files.join(' ')}`;
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

/** `tiny` answers where no model is named; `tiny-base` is only a start for training. */
export function packagedCommands(name: PackagedModel['name']): string[] {
  if (name === 'tiny-base') return [gsvaCommand('train --config configs/tiny.json5 --out runs/tiny')];
  return [
    gsvaCommand(
      'segment --image data/samples/scene-3.jpg --expressions "purple circle" "yellow circle" --out found.png',
    ),
    gsvaCommand('data synth --out data/synth'),
    gsvaCommand('eval --data data/synth'),
  ];
}

/** As a shell reads it as one word. */
function word(text: string): string {
  return /^[\w./:+=@%-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
