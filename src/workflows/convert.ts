/** Models from one form of files into another: tensors are read, changed and written one at a time. */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { peakRss } from '../benchmark/timing.js';
import type { LoraConfig } from '../config.js';
import { UserError } from '../errors.js';
import { checkModel, type OpenedModel, openModel } from '../inference/open-model.js';
import { checkSource, type ModelSource } from '../inference/model-source.js';
import { checkKeys, checkSignal } from '../inference/segment-options.js';
import { writeDirectoryAtomic, writeFileAtomic } from '../io/atomic/atomic-file.js';
import { openCheckpoint } from '../io/checkpoint-files.js';
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
import { mergeLora } from '../checkpoints/merge-lora.js';
import type { ExportedPart, ExportFormat } from '../systems/published-files.js';
import { publishedForm } from '../systems/published-forms.js';
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
  const { opened, report } = await openChecked(options);
  const model = await writeOwn(opened, options);
  const { loaded, missing } = report;
  return { ...model, loaded: loaded.length, drawnLater: missing.length, published: opened.published };
}

const OPTION_KEYS = [
  ...['source', 'out', 'dtype', 'shardBytes', 'onNote', 'onProgress', 'signal'],
] as const satisfies (keyof ConvertOptions)[];

/** Sizes of a system whose models have adapters. */
interface AdaptedConfig {
  readonly lora: LoraConfig;
}

/** Folds LoRA into the weights that it adapts. @returns also the adapter's rank and the number of weights changed */
export async function mergeAdapter(options: ConvertOptions) {
  const { opened } = await openChecked(options);
  const bare = new Map([...opened.tensors].map(([name, tensor]) => [nameInModel(name), tensor]));
  const before = opened.config as AdaptedConfig;
  const { config, tensors, merged } = mergeLora(before, bare);
  const meta = { ...opened.meta, description: `${opened.meta.description}, LoRA merged` };
  const model = await writeOwn({ ...opened, config, tensors, meta }, options);
  return { ...model, merged: merged.length, rank: before.lora.r };
}

async function openChecked({ out, source }: ConvertOptions) {
  checkOut(out);
  const opened = await openModel(source);
  return { opened, report: await checkModel(opened) };
}

function checkOut(out: string): void {
  if (existsSync(out)) throw new UserError(`Writing ${out}: it is there already. Name a folder that is not.`);
}

async function writeOwn(opened: OpenedModel, options: WriteOptions & Watch): Promise<WrittenModel> {
  const { system, config, meta, tokenizerDir, tensors } = opened;
  const form = await publishedForm(system.name);
  return write(options, (dir, { take, shardBytes }) => {
    const outputs = take([...tensors].map(([name, tensor]) => named(form.prefix + nameInModel(name), tensor)));
    writeModelDescription(dir, { config: system.config.toJson(config), meta, tokenizerDir });
    writeFileAtomic(join(dir, 'README.md'), form.card(config, meta, outputs));
    writeShardedSafetensors(dir, outputs, { shardBytes });
  });
}

/**
 * Adds LLaVA's delta to LLaMA: a whole folder of LLaVA.
 * @param options `base`: folder of LLaMA; `delta`: folder with config.json, weights, tokenizer
 */
export async function addLlavaDelta(options: WriteOptions & Watch & Readonly<Record<'base' | 'delta', string>>) {
  const { out } = options;
  checkOut(out);
  const base = resolveHubName(options.base, 'the base');
  const delta = resolveHubName(options.delta, 'the delta');
  const configPath = join(delta, 'config.json');
  const deltaConfig = JsonReader.of(readJson(configPath, "the delta's config"), configPath);
  // The delta's name would make the sum look like one.
  const config = { ...deltaConfig.object(), _name_or_path: out };
  const basePath = join(base, 'config.json');
  if (existsSync(basePath))
    refuseOtherSizes(JsonReader.of(readJson(basePath, "the base's config"), basePath), deltaConfig);
  const sum = [...addDelta(openCheckpoint(base).tensors, openCheckpoint(delta).tensors)];
  const written = await write(options, (dir, writing) => {
    const tensors = sum.map(([name, tensor]) => named(PUBLISHED_PREFIX + nameInModel(name), tensor));
    writeFolder(dir, { 'config.json': config }, [base, delta], tensors, writeShardedSafetensors, writing);
  });
  const hasTokenizer = TOKENIZER_FILES.some((name) => existsSync(join(out, name)));
  if (!hasTokenizer) options.onNote?.(`neither folder has a tokenizer: copy LLaMA's tokenizer.model into ${out}`);
  return written;
}

export interface ExportOptions extends ConvertOptions {
  /**
   * llava/ and clip/ as pytorch_model.bin, or as model.safetensors; lisa/ and clip/ as LISA is published, in whole.
   * Default: that of the model's system.
   */
  readonly format?: ExportFormat;
  /** Parts to write, of a model that is published in parts. */
  readonly parts: readonly ExportedPart[];
}

/** Writes the files that the published code loads: llava/, clip/, sam.pth, gsva.bin; lisa/, clip/; SELF1E's own folder. */
export async function exportModel(options: ExportOptions) {
  const { opened } = await openChecked(options);
  const form = await publishedForm(opened.system.name);
  const { format, pieces } = form.pieces(opened, options);
  const model = await write(options, (out, writing) => {
    for (const { name, as, json, tokenizer, tensors } of pieces) {
      if (as === 'file') writeTorchCheckpoint(join(out, name), writing.take(tensors));
      else {
        const shards = as === 'safetensors' ? writeShardedSafetensors : writeShardedTorch;
        writeFolder(join(out, name), json, tokenizer === null ? [] : [tokenizer], tensors, shards, writing);
      }
    }
  });
  return { ...model, format };
}

interface Writing {
  /** Tensors in the type that was asked for; each is reported, counted and checked when it is read. */
  readonly take: (tensors: readonly TensorOutput[]) => TensorOutput[];
  readonly shardBytes: number;
}

/** Writes a folder as a whole or not at all, and counts what went into it. */
async function write(options: WriteOptions & Watch, build: (dir: string, writing: Writing) => void) {
  const { out, dtype, shardBytes = 2e9 } = options;
  const report = counted(options, 'tensors');
  const outputs: TensorOutput[] = [];
  const notFinite: NotFiniteTensor[] = [];
  const take: Writing['take'] = (tensors) => {
    let done = 0;
    const taken = tensors.map((tensor) => {
      const { name, shape } = tensor;
      const output = dtype === undefined ? tensor : converted(tensor, STORED[dtype], name);
      const read: TensorOutput['read'] = () => {
        report(++done, tensors.length, name);
        const data = output.read();
        const found = storedNotFinite({ dtype: output.dtype, data });
        if (found !== null) notFinite.push({ name, shape, found });
        return data;
      };
      return { name, shape, dtype: output.dtype, read };
    });
    outputs.push(...taken);
    return taken;
  };
  await writeDirectoryAtomic(out, async (dir) => {
    build(dir, { take, shardBytes });
  });
  const bytes = outputs.reduce((sum, tensor) => sum + byteCount(tensor), 0);
  return { out, tensors: outputs.length, bytes, peakRss: peakRss(), notFinite };
}

/** A folder as Transformers reads it: tokenizers, JSON files by name, weights in shards. */
function writeFolder(
  dir: string,
  json: Readonly<Record<string, unknown>>,
  tokenizers: readonly string[],
  tensors: readonly TensorOutput[],
  shards: typeof writeShardedTorch,
  { take, shardBytes }: Writing,
): void {
  mkdirSync(dir, { recursive: true });
  for (const from of tokenizers) {
    for (const name of TOKENIZER_FILES) {
      if (existsSync(join(from, name))) copyFileSync(join(from, name), join(dir, name));
    }
  }
  for (const [name, content] of Object.entries(json)) writeJson(join(dir, name), content);
  shards(dir, take(tensors), { shardBytes });
}
