/** Suitability of a model, configuration or dataset for this machine. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { lacking } from '../benchmark/fits.js';
import { type EnginePlan, type MemoryPlan, planMemory } from '../benchmark/memory-plan.js';
import { openPlanSource, type PlanSource, readPlanSource } from '../benchmark/plan-source.js';
import { GRefCoco, type GRefCocoSplit } from '../data/refer/refcoco.js';
import { openOwnData } from '../data/own/own-data.js';
import { startDryRun } from '../engine/dry-run.js';
import type { EngineName } from '../engine/engine.js';
import { UserError } from '../errors.js';
import { checkModel, openModel } from '../inference/open-model.js';
import type { FileTensors } from '../io/file-tensor.js';
import { byteCount } from '../io/tensor-output.js';
import { notFiniteText, scanWeights } from '../io/tensor-statistics.js';
import { type MachineMemory, bytesText } from '../machine.js';
import { buildExperiment } from '../training/config/build-experiment.js';
import { type Finding, note, ok, problem } from './findings.js';
import { gsvaCommand } from '../program.js';

/** The machine to use it on. */
export interface Place {
  readonly memory: MachineMemory;
  /** The engine of a command; null where none starts. */
  readonly engine: EngineName | null;
}

const SPLITS = ['train', 'val', 'testA', 'testB'] as const satisfies readonly GRefCocoSplit[];
/** Measured memory in addition to the weights of a 7B model (docs/checkpoints.md): the library, and the computation. */
const PACKED = { library: 500 * 2 ** 20, share: 1.3 };
/** Seconds of scanning a model's weights: some gigabytes. */
const SCAN_SECONDS = 3;

/** A model's folder: names and shapes of weights, the tokenizer's ids, values as far as time permits, needed memory. */
export async function examineModel(dir: string, place: Place, scanSeconds = SCAN_SECONDS): Promise<Finding[]> {
  return examined('model', async () => {
    const opened = await openModel(dir);
    await checkModel(opened);
    const plan = await planMemory(await openPlanSource(join(dir, 'config.json')));
    const millions = (plan.parameters / 1e6).toFixed(1);
    const { stage, conversation } = opened.meta;
    const fits = memoryFinding('model', 'inference', plan, place);
    return [
      ok('model', `${dir} is complete: ${millions} M parameters, stage ${stage}, ${conversation}`),
      valuesFinding(opened.tensors, opened.weightsPath, scanSeconds),
      fits.state === 'problem' ? (packedFinding(opened.tensors, plan, place) ?? fits) : fits,
    ];
  });
}

/** NaN and infinities among the weights, with the share that was scanned. */
function valuesFinding(tensors: FileTensors, path: string, seconds: number): Finding {
  const { bad, ...read } = scanWeights(tensors, seconds);
  const [first] = bad;
  if (first !== undefined) {
    const more = bad.length === 1 ? '' : `; so do ${bad.length - 1} more tensors`;
    const fix = `${gsvaCommand(`inspect --stats ${path} --match ${first.name}`)}; then another copy of the weights`;
    return problem('model', `${notFiniteText(first)}${more}: its answers are not numbers`, fix);
  }
  if (read.tensors === read.allTensors) return ok('model', `all weights are finite (${bytesText(read.bytes)} read)`);
  const some = `${read.tensors} of ${read.allTensors} tensors, ${bytesText(read.bytes)} of ${bytesText(read.allBytes)}`;
  const found = `the weights that were looked at in ${seconds} s are finite (${some}); the others were not looked at`;
  return note('model', found, `${gsvaCommand(`inspect --stats ${path}`)} looks at all`);
}

/** Where float32 has no room: matrices stored in 16 bits stay so, and are widened in use. */
function packedFinding(tensors: FileTensors, plan: MemoryPlan, { engine, memory }: Place): Finding | null {
  const own = plan.engines.find((candidate) => candidate.engine === engine);
  if (own === undefined || engine === 'webgpu') return null;
  const stored = [...tensors.values()].reduce((sum, tensor) => sum + byteCount(tensor), 0);
  const process = PACKED.library + stored + PACKED.share * (own.inference.tensors - plan.weights);
  if (process > memory.available) return null;
  const found = `inference on ${own.engine} takes ${bytesText(process)} with its weights left in 16 bits`;
  return ok('model', `${found}, of ${bytesText(memory.available)} available (--precision auto does so)`);
}

/** A training configuration (or benchmark, or config.json): everything it names is present, and training has room. */
export async function examineConfig(path: string, place: Place): Promise<Finding[]> {
  return examined('config', async () => {
    const source = readPlanSource(path);
    const plan = await planMemory(source);
    return [
      ok('config', `${path} is a proper ${source.kind}`),
      memoryFinding('config', source.kind === 'model' ? 'inference' : 'training', plan, place),
      ...(await examined('config', () => startFindings(source, path))),
      ...(await dataFindings(source)),
    ];
  });
}

/** gRefCOCO in its published layout: annotations of every split, and their images. */
export function examineData(dir: string): Finding[] {
  try {
    const splits = GRefCoco.splits(dir);
    const present = SPLITS.filter((split) => splits.has(split));
    if (present.length > 0) return present.map((split) => splitFinding(dir, split));
    return [problem('data', `${dir} has none of the splits ${SPLITS.join(', ')}`, null)];
  } catch (error) {
    return [failure('data', error)];
  }
}

function splitFinding(dir: string, split: GRefCocoSplit): Finding {
  const { images, skippedExpressions } = GRefCoco.open(dir, split);
  const skipped = skippedExpressions === 0 ? '' : ` (${skippedExpressions} more cannot be used)`;
  const fix = "put COCO's train2014 into <data>/refer_seg/images/mscoco/images/train2014";
  return imagesFinding(`${dir}, ${split}`, images, skipped, fix);
}

/** Images, their expressions, and how many of the files are missing. */
function imagesFinding(
  name: string,
  images: readonly { readonly path: string; readonly expressions: readonly unknown[] }[],
  more: string,
  fix: string,
): Finding {
  const expressions = images.reduce((sum, image) => sum + image.expressions.length, 0);
  const found = `${name}: ${images.length} images, ${expressions} expressions${more}`;
  const missing = images.filter(({ path }) => !existsSync(path));
  const [first] = missing;
  if (first === undefined) return ok('data', found);
  return problem('data', `${found}; ${missing.length} of the images are missing, the first ${first.path}`, fix);
}

/** The start model's weights and the tokenizer fit: training's objects are built on an engine that computes nothing. */
async function startFindings({ experiment }: PlanSource, path: string): Promise<Finding[]> {
  if (experiment === null) return [];
  await startDryRun('formulas');
  (await buildExperiment(experiment, path)).network.dispose();
  const start = experiment.start ?? 'random weights';
  return [ok('config', `it starts from ${start}, with the tokenizer of ${experiment.tokenizer}`)];
}

async function dataFindings({ experiment }: PlanSource): Promise<Finding[]> {
  const data = experiment?.data;
  if (data?.kind === 'grefcoco') return examineData(data.dir);
  if (data?.kind !== 'jsonl') return [];
  const { file } = data;
  return examined('data', async () => {
    const { images } = await openOwnData(file, 'train');
    return [imagesFinding(`${file}, train`, images, '', gsvaCommand(`data validate ${file}`))];
  });
}

function memoryFinding(subject: string, what: 'training' | 'inference', plan: MemoryPlan, place: Place): Finding {
  const { engine, memory } = place;
  const own = plan.engines.find((candidate) => candidate.engine === engine);
  const missing = (candidate: EnginePlan): string | null => lacking(candidate.engine, candidate[what], memory);
  if (own === undefined) {
    return note(subject, `${what}: how much memory ${engine ?? 'nothing'} takes is not known`, null);
  }
  const found = `${what} on ${own.engine} takes ${bytesText(own[what].process)}`;
  const lacks = missing(own);
  if (lacks === null) return ok(subject, `${found} of ${bytesText(memory.available)} available`);
  const other = plan.engines.find((candidate) => candidate.engine !== 'webgpu' && missing(candidate) === null);
  const smaller = 'a smaller model, or a machine with more memory';
  return problem(subject, `${found}: ${lacks}`, other === undefined ? smaller : `--engine ${other.engine}`);
}

async function examined(subject: string, examine: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await examine();
  } catch (error) {
    return [failure(subject, error)];
  }
}

/** An error of the user's files is a finding; any other is a bug. */
function failure(subject: string, error: unknown): Finding {
  if (error instanceof UserError) return problem(subject, error.message, null);
  throw error;
}
