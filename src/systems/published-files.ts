/** Published models: the files that make one, and the contract of the forms that read and write them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ModelMeta } from '../checkpoints/model-meta.js';
import type { ConversationStyle } from '../data/text/conversation.js';
import type { FileTensors } from '../io/file-tensor.js';
import { readJson } from '../io/json/json-file.js';
import type { TensorOutput } from '../io/tensor-output.js';
import type { PublishedTensors } from './shared/published/names.js';

/** Systems whose authors, or others, publish models. */
export const PUBLISHED_SYSTEMS = ['gsva', 'lisa', 'self1e'] as const;
export type PublishedSystem = (typeof PUBLISHED_SYSTEMS)[number];

/** Keys of config.json that replace what the files say: 'sam.decoder_heads' → 4. */
export type ConfigOverrides = readonly (readonly [key: string, value: unknown])[];

/** Published files, and what they do not say themselves. Paths, or names in the local Hugging Face cache. */
export interface PublishedSource {
  /** Folder of the multimodal LLM: config.json, weights, tokenizer. For SELF1E InternVL3's, or the whole model's. */
  readonly mllm: string;
  /** Folder of CLIP: config.json, weights; null for SELF1E, which has an encoder of its own. */
  readonly visionTower: string | null;
  /** sam_vit_{b,l,h}.pth; null for LISA, whose folder and training checkpoints hold it, and for SELF1E. */
  readonly sam: string | null;
  /** gsva-*.bin, or a training checkpoint; null for a whole model's folder, and for a model that training starts from. */
  readonly weights: string | null;
  /** Default: that of the published models. */
  readonly conversation?: ConversationStyle;
  /** The system that the files are of; default: SELF1E without `visionTower`, else LISA without `sam`, else GSVA. */
  readonly system?: PublishedSystem;
  readonly overrides?: ConfigOverrides;
}

/** A model as its published files make it. */
export interface PublishedModel extends PublishedTensors {
  /** Value of config.json as a folder of ours has it. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly meta: ModelMeta & { readonly conversation: ConversationStyle };
  /** By our names. */
  readonly tensors: FileTensors;
  /** Folder with the tokenizer's files. */
  readonly tokenizerDir: string;
  /** The file or folder of the weights, for errors. */
  readonly source: string;
  /** Why it cannot be asked before it is trained, as the end of a sentence; absent where it can. */
  readonly lacks?: string;
}

/** A model to be written in its published form. */
export interface WholeModel {
  /** As its system reads config.json. */
  readonly config: unknown;
  readonly tensors: FileTensors;
  readonly tokenizerDir: string;
  /** The folder or file that it comes from, for errors. */
  readonly source: string;
}

export interface ExportRequest {
  readonly format?: ExportFormat | undefined;
  readonly parts: readonly ExportedPart[];
}
export type ExportFormat = 'pytorch' | 'hf' | 'lisa';
export type ExportedPart = 'mllm' | 'vision-tower' | 'sam' | 'weights';

/** A folder, or a file, of a published model. */
export interface ExportedPiece {
  /** Below the folder that is written; '' for this one. */
  readonly name: string;
  readonly tensors: readonly TensorOutput[];
  /** 'file': one file of PyTorch, without anything next to it. */
  readonly as: 'file' | 'pytorch' | 'safetensors';
  /** JSON files by name. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Folder whose tokenizer is copied; null for none. */
  readonly tokenizer: string | null;
}

export interface PublishedForm {
  /** Prefix of the names of weights in a folder of ours. */
  readonly prefix: string;
  /** @throws UserError naming the file, and the tensor or key, at fault */
  open(source: PublishedSource): PublishedModel;
  /** README.md of a folder of ours. @param tensors that it holds */
  card(config: unknown, meta: ModelMeta, tensors: readonly TensorOutput[]): string;
  /** @returns also the format's name @throws UserError for a format that cannot hold the model */
  pieces(model: WholeModel, request: ExportRequest): { readonly format: string; readonly pieces: ExportedPiece[] };
}

export function systemOfSource({ system, visionTower, sam }: PublishedSource): PublishedSystem {
  return system ?? (visionTower === null ? 'self1e' : sam === null ? 'lisa' : 'gsva');
}

/** Kinds of config.json of folders that are a whole published model by themselves. */
const WHOLE: readonly string[] = ['internvl_chat', 'internvl'];

/** The published model in a folder; null for a folder of ours, or of another kind. */
export function publishedFolder(dir: string): PublishedSource | null {
  if (existsSync(join(dir, 'meta.json')) || !existsSync(join(dir, 'config.json'))) return null;
  const json = readJson(join(dir, 'config.json'), "the model's sizes");
  const { model_type: type } = (typeof json === 'object' && json !== null ? json : {}) as { model_type?: unknown };
  if (typeof type !== 'string' || !WHOLE.includes(type)) return null;
  return { mllm: dir, visionTower: null, sam: null, weights: null, system: 'self1e' };
}
