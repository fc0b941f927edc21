/** The work behind `gsva convert`, `merge` and `export`: tensors are read, changed and written one at a time. */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { peakRss } from '../benchmark/timing.js';
import { UserError } from '../errors.js';
import { checkModel } from '../inference/check-model.js';
import { type ModelSource, type OpenedModel, openModel } from '../inference/open-model.js';
import { writeDirectoryAtomic, writeFileAtomic } from '../io/atomic/atomic-file.js';
import { openCheckpoint } from '../io/checkpoint-files.js';
import type { FileTensors } from '../io/file-tensor.js';
import { resolveHubName } from '../io/cache/hub-cache.js';
import { readJson, writeJson } from '../io/json/json-file.js';
import { JsonReader } from '../io/json/json-reader.js';
import { writeShardedSafetensors } from '../io/safetensors/safetensors-writer.js';
import { storedNotFinite } from '../io/tensor-statistics.js';
import { type NotFiniteTensor, notFiniteText } from '../io/weight-scan.js';
import { type TensorOutput, type WeightDtype, byteCount, converted, named } from '../io/tensor-output.js';
import { writeShardedTorch, writeTorchCheckpoint } from '../io/torch/torch-writer.js';
import { bytesText } from '../machine.js';
import { TOKENIZER_FILES, writeModelDescription } from '../checkpoints/checkpoint-directory.js';
import { addDelta, refuseOtherSizes } from '../systems/shared/published/llava-delta.js';
import { modelCard } from '../checkpoints/model-card.js';
import { mergeLora } from '../checkpoints/merge-lora.js';
import {
  clipConfigJson,
  clipPreprocessorJson,
  llavaConfigJson,
  publishedTensors,
} from '../systems/shared/published/files.js';
import { PUBLISHED_PREFIX, nameInModel } from '../checkpoints/weights.js';
import type { VerbContext } from './verb.js';
import { gsvaCommand } from '../program.js';

export type DtypeName = 'f32' | 'bf16' | 'f16';
export type ExportPart = 'mllm' | 'vision-tower' | 'sam' | 'weights';

/** What is written where and how. */
export interface WriteRequest {
  readonly out: string;
  /** Null: as stored. */
  readonly dtype: DtypeName | null;
  readonly shardBytes: number;
}

const STORED: Readonly<Record<DtypeName, WeightDtype>> = { f32: 'F32', bf16: 'BF16', f16: 'F16' };
interface ModelRequest extends WriteRequest {
  readonly source: ModelSource;
}

/** A tensor to be written, and what is seen of it while it is: whether all of its numbers are finite. */
interface Written extends TensorOutput {
  readonly bad: readonly NotFiniteTensor[];
}

/** Tensors that a warning names. */
const MOST_NAMED = 3;

/** @returns the exit code */
export async function runConvert(request: ModelRequest, context: VerbContext): Promise<number> {
  checkOut(request.out);
  const opened = await openModel(request.source);
  const { loaded, missing } = await checkModel(opened);
  showParts(opened, context);
  const outputs = outputsOf(opened.tensors, request, context);
  await write(request.out, (dir) => {
    writeOwn(dir, opened, outputs, request);
  });
  finish(request, outputs, { loaded: loaded.length, drawnLater: missing.length, ...partsJson(opened) }, context);
  return 0;
}

/** @returns the exit code */
export async function runMerge(request: ModelRequest, context: VerbContext): Promise<number> {
  checkOut(request.out);
  const opened = await openModel(request.source);
  await checkModel(opened);
  const { config, tensors, merged } = mergeLora(opened.config, bare(opened.tensors));
  const outputs = outputsOf(tensors, request, context);
  const meta = { ...opened.meta, description: `${opened.meta.description}, LoRA merged` };
  await write(request.out, (dir) => {
    writeOwn(dir, { ...opened, config, meta }, outputs, request);
  });
  context.output.line(`LoRA of rank ${opened.config.lora.r} folded into ${merged.length} weights`);
  finish(request, outputs, { merged: merged.length }, context);
  return 0;
}

/** @returns the exit code */
export async function runConvertDelta(
  request: WriteRequest & { readonly base: string; readonly delta: string },
  context: VerbContext,
): Promise<number> {
  checkOut(request.out);
  const base = resolveHubName(request.base, 'the base');
  const delta = resolveHubName(request.delta, 'the delta');
  const configPath = join(delta, 'config.json');
  const deltaConfig = JsonReader.of(readJson(configPath, "the delta's config"), configPath);
  const config = deltaConfig.object();
  const basePath = join(base, 'config.json');
  if (existsSync(basePath))
    refuseOtherSizes(JsonReader.of(readJson(basePath, "the base's config"), basePath), deltaConfig);
  const tensors = addDelta(openCheckpoint(base).tensors, openCheckpoint(delta).tensors);
  const outputs = outputsOf(tensors, request, context);
  await write(request.out, (dir) => {
    // What the delta was called would make the sum look like one.
    writeJson(join(dir, 'config.json'), { ...config, _name_or_path: request.out });
    copyTokenizer(base, dir);
    copyTokenizer(delta, dir);
    writeShardedSafetensors(dir, outputs, { shardBytes: request.shardBytes });
  });
  const hasTokenizer = TOKENIZER_FILES.some((name) => existsSync(join(request.out, name)));
  if (!hasTokenizer) context.note(`neither folder has a tokenizer: copy LLaMA's tokenizer.model into ${request.out}`);
  finish(request, outputs, {}, context);
  return 0;
}

/** @returns the exit code */
export async function runExport(
  request: ModelRequest & {
    readonly format: 'pytorch' | 'hf';
    readonly parts: readonly ExportPart[];
  },
  context: VerbContext,
): Promise<number> {
  checkOut(request.out);
  const opened = await openModel(request.source);
  await checkModel(opened);
  const { config, tokenizerDir } = opened;
  const { shardBytes, parts } = request;
  const shards = request.format === 'pytorch' ? writeShardedTorch : writeShardedSafetensors;
  const of = (part: Parameters<typeof publishedTensors>[0]): Written[] =>
    stored(publishedTensors(part, opened.tensors), request, context);
  const written: Written[] = [];
  await write(request.out, (out) => {
    for (const part of parts) {
      const outputs = of(part === 'vision-tower' ? 'vision tower' : part);
      if (outputs.length === 0) throw new UserError(`Exporting ${part}: the model has nothing of it.`);
      written.push(...outputs);
      if (part === 'sam') writeTorchCheckpoint(join(out, 'sam.pth'), outputs);
      else if (part === 'weights') writeTorchCheckpoint(join(out, 'gsva.bin'), outputs);
      else {
        const dir = join(out, part === 'mllm' ? 'llava' : 'clip');
        mkdirSync(dir);
        if (part === 'mllm') {
          writeJson(join(dir, 'config.json'), llavaConfigJson(config));
          copyTokenizer(tokenizerDir, dir);
        } else {
          writeJson(join(dir, 'config.json'), clipConfigJson(config.clip));
          writeJson(join(dir, 'preprocessor_config.json'), clipPreprocessorJson(config.clip));
        }
        shards(dir, outputs, { shardBytes });
      }
    }
  });
  finish(request, written, { parts, format: request.format }, context);
  return 0;
}

function checkOut(out: string): void {
  if (existsSync(out)) throw new UserError(`Writing ${out}: it is there already. Name a folder that is not.`);
}

function showParts({ published }: OpenedModel, { output }: VerbContext): void {
  if (published === null) return;
  const rows = published.parts.map(({ part, files, loaded, replaced, unused }) => {
    return [part, files.length, loaded, replaced.length, unused.length] as const;
  });
  output.table(['part', 'files', 'tensors', 'replace others', 'not used'], rows);
  for (const { part, within } of published.parts) {
    if (within !== null) output.line(` ${part}: the tensors of ${within}`);
  }
  const reasons = new Map<string, number>();
  for (const { unused } of published.parts) {
    for (const { reason } of unused) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  for (const [reason, count] of reasons) output.line(` not used: ${count} × ${reason}`);
  for (const { name, from, to } of published.grown) {
    output.line(` ${name}: rows ${from} to ${to - 1} are new, for the added tokens`);
  }
}

function partsJson({ published }: OpenedModel): object {
  return published === null ? {} : { parts: published.parts, grown: published.grown };
}

function writeOwn(
  dir: string,
  { system, config, meta, tokenizerDir }: OpenedModel,
  outputs: readonly TensorOutput[],
  { shardBytes }: WriteRequest,
): void {
  writeModelDescription(dir, { config: system.config.toJson(config), meta, tokenizerDir });
  writeFileAtomic(join(dir, 'README.md'), modelCard(config, meta, outputs));
  writeShardedSafetensors(dir, outputs, { shardBytes });
}

/** Our files have peft's prefix, as the published ones. */
function outputsOf(tensors: FileTensors, request: WriteRequest, context: VerbContext): Written[] {
  const all = [...tensors].map(([name, tensor]) => named(PUBLISHED_PREFIX + nameInModel(name), tensor));
  return stored(all, request, context);
}

/** In the type that was asked for, each noted, and looked at, as its turn comes. */
function stored(tensors: readonly TensorOutput[], { dtype }: WriteRequest, context: VerbContext): Written[] {
  const bar = context.startProgress('tensors', tensors.length);
  let done = 0;
  return tensors.map((tensor) => {
    const output = dtype === null ? tensor : named(tensor.name, converted(tensor, STORED[dtype], tensor.name));
    const bad: NotFiniteTensor[] = [];
    const read: TensorOutput['read'] = () => {
      context.signal.throwIfAborted();
      bar.update(++done, tensor.name);
      if (done === tensors.length) bar.stop();
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

function finish(request: WriteRequest, outputs: readonly Written[], facts: object, context: VerbContext): void {
  const { output } = context;
  const bad = outputs.flatMap((tensor) => tensor.bad);
  for (const tensor of bad.slice(0, MOST_NAMED)) context.note(`warning: ${notFiniteText(tensor)}`);
  if (bad.length > 0) {
    const all = bad.length > MOST_NAMED ? `, ${bad.length} tensors in all,` : '';
    context.note(
      `warning: these weights${all} are written as they are, and no answer of theirs is a number: look at them with ` +
        `${gsvaCommand(`inspect --stats ${request.out}`)}, and get another copy`,
    );
  }
  const bytes = outputs.reduce((sum, tensor) => sum + byteCount(tensor), 0);
  output.line(`${request.out}: ${outputs.length} tensors, ${bytesText(bytes)}`);
  output.json({
    out: request.out,
    tensors: outputs.length,
    bytes,
    peakRss: peakRss(),
    ...(bad.length === 0 ? {} : { notFinite: bad }),
    ...facts,
  });
}
