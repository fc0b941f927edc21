/** Models from one form of files into another: tensors are read, changed and written one at a time. */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { peakRss } from '../benchmark/timing.js';
import { UserError } from '../errors.js';
import { checkModel } from '../inference/check-model.js';
import { checkSource, type ModelSource } from '../inference/model-source.js';
import { type OpenedModel, openModel } from '../inference/open-model.js';
import { checkKeys, checkSignal } from '../inference/segment-options.js';
import { writeDirectoryAtomic, writeFileAtomic } from '../io/atomic/atomic-file.js';
import { openCheckpoint } from '../io/checkpoint-files.js';
import type { FileTensors } from '../io/file-tensor.js';
import { resolveHubName } from '../io/cache/hub-cache.js';
import { readJson, writeJson } from '../io/json/json-file.js';
import { JsonReader } from '../io/json/json-reader.js';
import { writeShardedSafetensors } from '../io/safetensors/safetensors-writer.js';
import { storedNotFinite } from '../io/tensor-statistics.js';
import type { NotFiniteTensor } from '../finite.js';
import { type TensorOutput, type WeightDtype, byteCount, converted, named } from '../io/tensor-output.js';
import { writeShardedTorch, writeTorchCheckpoint } from '../io/torch/torch-writer.js';
import { TOKENIZER_FILES, writeModelDescription } from '../checkpoints/checkpoint-directory.js';
import { addDelta, refuseOtherSizes } from '../systems/shared/published/llava-delta.js';
import { modelCard } from '../systems/shared/model-card.js';
import type { ModelConfig } from '../systems/shared/model-config.js';
import { lisaJsonFiles, lisaTensors } from '../systems/shared/published/lisa-files.js';
import { mergeLora } from '../checkpoints/merge-lora.js';
import {
  clipConfigJson,
  clipPreprocessorJson,
  llavaConfigJson,
  publishedTensors,
} from '../systems/shared/published/files.js';
import type { PublishedTensors } from '../systems/shared/published/names.js';
import { PUBLISHED_PREFIX, nameInModel } from '../checkpoints/weights.js';
import { counted, type Watch } from './watch.js';

/** Types in which weights are stored. */
const STORED = { f32: 'F32', bf16: 'BF16', f16: 'F16' } as const satisfies Record<string, WeightDtype>;

/** How a model is written. */
export interface WriteOptions {
  /** Folder to write; it must not exist. */
  readonly out: string;
  /** Default: as stored. */
  readonly dtype?: keyof typeof STORED;
  /** Bytes of a file at most; default 2 · 10⁹. */
  readonly shardBytes?: number;
}

/** Options of `convert`. */
export interface ConvertOptions extends WriteOptions, Watch {
  readonly source: ModelSource;
}

/** A model as it was written. */
export interface WrittenModel {
  readonly out: string;
  /** Tensors written, and their bytes. */
  readonly tensors: number;
  readonly bytes: number;
  /** Largest memory of the process so far, in bytes. */
  readonly peakRss: number;
  /** Tensors with NaN or infinities, written as they are; no answer of such a model is a number. */
  readonly notFinite: readonly NotFiniteTensor[];
}

/** Result of `convert`. */
export interface ConvertResult extends WrittenModel {
  /** Tensors of the model that the files have, and those that are drawn when it is loaded. */
  readonly loaded: number;
  readonly drawnLater: number;
  /** Published files and their tensors; null for a folder of ours. */
  readonly published: PublishedTensors | null;
}

/** A tensor to be written, and what is found while it is read: whether all of its numbers are finite. */
interface Written extends TensorOutput {
  readonly bad: readonly NotFiniteTensor[];
}

const SHARD_BYTES = 2e9;

/**
 * Writes a model as one of our folders: safetensors, sizes, tokenizer.
 *
 *     await convert({ source: { mllm, visionTower, sam, weights }, out: 'gsva-7b', dtype: 'bf16' });
 *
 * @throws UserError for files that do not make a model, and where `out` exists
 */
export async function convert(options: ConvertOptions): Promise<ConvertResult> {
  checkKeys('Converting', options, OPTION_KEYS);
  checkSignal('Converting', options.signal);
  checkSource(options.source);
  checkOut(options.out);
  const opened = await openModel(options.source);
  const { loaded, missing } = await checkModel(opened);
  const outputs = outputsOf(opened.tensors, options);
  await write(options.out, (dir) => {
    writeOwn(dir, opened, outputs, options);
  });
  const { published } = opened;
  return { ...written(options, outputs), loaded: loaded.length, drawnLater: missing.length, published };
}

const OPTION_KEYS = [
  'source',
  'out',
  'dtype',
  'shardBytes',
  'onNote',
  'onProgress',
  'signal',
] as const satisfies (keyof ConvertOptions)[];

/** Folds LoRA into the weights that it adapts. @returns also the adapter's rank and the number of weights changed */
export async function mergeAdapter(
  options: ConvertOptions,
): Promise<WrittenModel & { readonly merged: number; readonly rank: number }> {
  checkOut(options.out);
  const opened = await openModel(options.source);
  await checkModel(opened);
  const { config, tensors, merged } = mergeLora(opened.config, bare(opened.tensors));
  const outputs = outputsOf(tensors, options);
  const meta = { ...opened.meta, description: `${opened.meta.description}, LoRA merged` };
  await write(options.out, (dir) => {
    writeOwn(dir, { ...opened, config, meta }, outputs, options);
  });
  return { ...written(options, outputs), merged: merged.length, rank: opened.config.lora.r };
}

export interface DeltaOptions extends WriteOptions, Watch {
  /** Folder of LLaMA. */
  readonly base: string;
  /** Folder of the delta: config.json, weights, tokenizer. */
  readonly delta: string;
}

/** Adds LLaVA's delta to LLaMA: a whole folder of LLaVA. */
export async function addLlavaDelta(options: DeltaOptions): Promise<WrittenModel> {
  const { out, shardBytes = SHARD_BYTES } = options;
  checkOut(out);
  const base = resolveHubName(options.base, 'the base');
  const delta = resolveHubName(options.delta, 'the delta');
  const configPath = join(delta, 'config.json');
  const deltaConfig = JsonReader.of(readJson(configPath, "the delta's config"), configPath);
  const config = deltaConfig.object();
  const basePath = join(base, 'config.json');
  if (existsSync(basePath))
    refuseOtherSizes(JsonReader.of(readJson(basePath, "the base's config"), basePath), deltaConfig);
  const tensors = addDelta(openCheckpoint(base).tensors, openCheckpoint(delta).tensors);
  const outputs = outputsOf(tensors, options);
  await write(out, (dir) => {
    // The delta's name would make the sum look like one.
    writeJson(join(dir, 'config.json'), { ...config, _name_or_path: out });
    copyTokenizer(base, dir);
    copyTokenizer(delta, dir);
    writeShardedSafetensors(dir, outputs, { shardBytes });
  });
  const hasTokenizer = TOKENIZER_FILES.some((name) => existsSync(join(out, name)));
  if (!hasTokenizer) options.onNote?.(`neither folder has a tokenizer: copy LLaMA's tokenizer.model into ${out}`);
  return written(options, outputs);
}

type ExportFormat = 'pytorch' | 'hf' | 'lisa';

export interface ExportOptions extends ConvertOptions {
  /**
   * llava/ and clip/ as pytorch_model.bin, or as model.safetensors; lisa/ and clip/ as LISA is published, in whole.
   * Default: that of the model's system.
   */
  readonly format?: ExportFormat;
  readonly parts: readonly ('mllm' | 'vision-tower' | 'sam' | 'weights')[];
}

/** Writes the files that the published code loads: llava/, clip/, sam.pth, gsva.bin; or lisa/, clip/. */
export async function exportModel(options: ExportOptions): Promise<WrittenModel & { readonly format: ExportFormat }> {
  checkOut(options.out);
  const opened = await openModel(options.source);
  await checkModel(opened);
  const { config, tokenizerDir, system } = opened;
  const isLisa = system.name === 'lisa';
  const { shardBytes = SHARD_BYTES, parts, format = isLisa ? 'lisa' : 'pytorch' } = options;
  if (isLisa !== (format === 'lisa')) {
    throw new UserError(
      `Exporting ${opened.source}: it is a model of ${system.name}, which the format ${format} cannot hold. Leave out --format.`,
    );
  }
  if (isLisa) return { ...(await exportLisa(opened, options)), format };
  const shards = format === 'pytorch' ? writeShardedTorch : writeShardedSafetensors;
  const all: Written[] = [];
  await write(options.out, (out) => {
    for (const part of parts) {
      const published = publishedTensors(part === 'vision-tower' ? 'vision tower' : part, opened.tensors);
      const outputs = stored(published, options);
      if (outputs.length === 0) throw new UserError(`Exporting ${part}: the model has nothing of it.`);
      all.push(...outputs);
      if (part === 'sam') writeTorchCheckpoint(join(out, 'sam.pth'), outputs);
      else if (part === 'weights') writeTorchCheckpoint(join(out, 'gsva.bin'), outputs);
      else if (part === 'vision-tower') writeClip(join(out, 'clip'), config, outputs, shardBytes, shards);
      else {
        const dir = join(out, 'llava');
        mkdirSync(dir);
        writeJson(join(dir, 'config.json'), llavaConfigJson(config));
        copyTokenizer(tokenizerDir, dir);
        shards(dir, outputs, { shardBytes });
      }
    }
  });
  return { ...written(options, all), format };
}

/** LISA's folder and CLIP's, in the types of the published ones unless another is asked for. */
async function exportLisa(
  { config, tensors, tokenizerDir }: OpenedModel,
  options: ExportOptions,
): Promise<WrittenModel> {
  const { shardBytes = SHARD_BYTES } = options;
  const lisa = stored(lisaTensors(config, tensors), options);
  const clip = stored(publishedTensors('vision tower', tensors), options);
  await write(options.out, (out) => {
    const [lisaDir, clipDir] = [join(out, 'lisa'), join(out, 'clip')];
    mkdirSync(lisaDir);
    copyTokenizer(tokenizerDir, lisaDir);
    for (const [name, json] of Object.entries(lisaJsonFiles(config, tokenizerDir)))
      writeJson(join(lisaDir, name), json);
    writeShardedTorch(lisaDir, lisa, { shardBytes });
    writeClip(clipDir, config, clip, shardBytes, writeShardedTorch);
  });
  return written(options, [...lisa, ...clip]);
}

function writeClip(
  dir: string,
  { clip }: ModelConfig,
  outputs: readonly TensorOutput[],
  shardBytes: number,
  shards: typeof writeShardedTorch,
): void {
  mkdirSync(dir);
  writeJson(join(dir, 'config.json'), clipConfigJson(clip));
  writeJson(join(dir, 'preprocessor_config.json'), clipPreprocessorJson(clip));
  shards(dir, outputs, { shardBytes });
}

function checkOut(out: string): void {
  if (existsSync(out)) throw new UserError(`Writing ${out}: it is there already. Name a folder that is not.`);
}

function writeOwn(
  dir: string,
  { system, config, meta, tokenizerDir }: OpenedModel,
  outputs: readonly TensorOutput[],
  { shardBytes = SHARD_BYTES }: WriteOptions,
): void {
  writeModelDescription(dir, { config: system.config.toJson(config), meta, tokenizerDir });
  writeFileAtomic(join(dir, 'README.md'), modelCard(config, meta, outputs));
  writeShardedSafetensors(dir, outputs, { shardBytes });
}

/** Our files have peft's prefix, as the published ones. */
function outputsOf(tensors: FileTensors, options: WriteOptions & Watch): Written[] {
  const all = [...tensors].map(([name, tensor]) => named(PUBLISHED_PREFIX + nameInModel(name), tensor));
  return stored(all, options);
}

/** In the type that was asked for; each is reported and checked when it is read. */
function stored(tensors: readonly TensorOutput[], options: WriteOptions & Watch): Written[] {
  const report = counted(options, 'tensors');
  const { dtype } = options;
  let done = 0;
  return tensors.map((tensor) => {
    const output = dtype === undefined ? tensor : named(tensor.name, converted(tensor, STORED[dtype], tensor.name));
    const bad: NotFiniteTensor[] = [];
    const read: TensorOutput['read'] = () => {
      report(++done, tensors.length, tensor.name);
      const data = output.read();
      const found = storedNotFinite({ dtype: output.dtype, data });
      if (found !== null) bad.push({ name: tensor.name, shape: tensor.shape, found });
      return data;
    };
    return { ...output, read, bad };
  });
}

function bare(tensors: FileTensors): FileTensors {
  return new Map([...tensors].map(([name, tensor]) => [nameInModel(name), tensor]));
}

function copyTokenizer(from: string, to: string): void {
  for (const name of TOKENIZER_FILES) {
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name));
  }
}

function write(out: string, build: (dir: string) => void): Promise<void> {
  return writeDirectoryAtomic(out, (dir) => {
    build(dir);
    return Promise.resolve();
  });
}

function written({ out }: WriteOptions, outputs: readonly Written[]): WrittenModel {
  return {
    out,
    tensors: outputs.length,
    bytes: outputs.reduce((sum, tensor) => sum + byteCount(tensor), 0),
    peakRss: peakRss(),
    notFinite: outputs.flatMap((tensor) => tensor.bad),
  };
}
