/** Folders of InternVL3 and SELF1E as others publish them, made from the recorded ones (fixtures/self1e-tiny). */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { openCheckpoint } from '../../../src/io/checkpoint-files.js';
import { type FileTensor, type FileTensors, inMemory } from '../../../src/io/file-tensor.js';
import { writeShardedSafetensors } from '../../../src/io/safetensors/safetensors-writer.js';
import { named } from '../../../src/io/tensor-output.js';
import { fixture } from '../../helpers/fixtures.js';

export const EMBEDDING = 'language_model.model.embed_tokens.weight';
export const HEAD = 'language_model.lm_head.weight';

export type Json = Record<string, unknown>;
export type Rename = (name: string, tensor: FileTensor) => readonly (readonly [name: string, tensor: FileTensor])[];
export interface Change {
  readonly config?: (json: Json) => Json;
  readonly weights?: Rename;
}

const made: string[] = [];

/** A folder with the tokenizer, a config.json and weights: the recorded ones, changed. */
export function folder(from: 'published' | 'training', { config, weights }: Change = {}): string {
  const dir = mkdtempSync(join(tmpdir(), 'gsva-internvl-'));
  made.push(dir);
  cpSync(fixture('self1e-tokenizer'), dir, { recursive: true });
  const place = from === 'published' ? fixture('self1e-tiny', 'published') : fixture('self1e-tiny');
  const json = JSON.parse(readFileSync(join(place, 'config.json'), 'utf8')) as Json;
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config?.(json) ?? json));
  const { tensors } = openCheckpoint(from === 'published' ? place : join(place, 'model.safetensors'));
  const renamed = [...tensors].flatMap(([name, tensor]) => weights?.(name, tensor) ?? [[name, tensor] as const]);
  writeShardedSafetensors(
    dir,
    renamed.map(([name, tensor]) => named(name, tensor)),
    { shardBytes: 1e9 },
  );
  return dir;
}

export function removeFolders(): void {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true });
}

export function isProjection(name: string): boolean {
  return name.startsWith('combine_decode_proj');
}

/** The vocabulary's first rows alone. */
export function withRows(rows: number): Rename {
  return (name, tensor) => [[name, name === EMBEDDING || name === HEAD ? rowsOf(tensor, 0, rows) : tensor]];
}

/** Base InternVL3: without the projections and without rows for the added tokens. */
export const toBase: Rename = (name, tensor) => (isProjection(name) ? [] : withRows(598)(name, tensor));

/** config.json as transformers writes its own InternVL: other sections, sides in pairs. */
export function toTransformersConfig({ llm_config: llm, vision_config: vision }: Json): Json {
  const { image_size: side, patch_size: patch, qkv_bias: bias, qk_normalization: norm, ...rest } = vision as Json;
  const { rope_theta: theta, rope_scaling: scaling, ...text } = llm as Json;
  return {
    architectures: ['InternVLForConditionalGeneration'],
    model_type: 'internvl',
    image_token_id: 591,
    image_seq_length: 16,
    downsample_ratio: 0.5,
    vision_feature_layer: -1,
    text_config: { ...text, rope_parameters: { ...(scaling as Json), rope_theta: theta } },
    vision_config: {
      ...{ ...rest, model_type: 'internvl_vision', image_size: [side, side], patch_size: [patch, patch] },
      ...{ attention_bias: bias, use_qk_norm: norm },
    },
  };
}

/** Names of transformers' own InternVL, queries, keys and values apart; the projections keep theirs. */
export function toTransformers(prefix: string): Rename {
  return (name, tensor) => {
    const renamed = name
      .replace(/^vision_model\./, `${prefix}vision_tower.`)
      .replace('vision_tower.encoder.layers.', 'vision_tower.encoder.layer.')
      .replace('class_embedding', 'cls_token')
      .replace('position_embedding', 'position_embeddings')
      .replace('patch_embedding.', 'patch_embeddings.projection.')
      .replace(/\.ls([12])$/, '.lambda_$1')
      .replace('.attn.proj.', '.attention.projection_layer.')
      .replace('.attn.', '.attention.')
      .replace('.norm1.', '.layernorm_before.')
      .replace('.norm2.', '.layernorm_after.')
      .replace(/^mlp1\.0\./, `${prefix}multi_modal_projector.layer_norm.`)
      .replace(/^mlp1\.1\./, `${prefix}multi_modal_projector.linear_1.`)
      .replace(/^mlp1\.3\./, `${prefix}multi_modal_projector.linear_2.`);
    // Since 4.52 the head stands outside of the language model.
    const inside = renamed
      .replace(/^language_model\.model\./, 'model.language_model.')
      .replace(/^language_model\./, '');
    const own = prefix === '' ? renamed : inside;
    if (!own.includes('.attention.qkv.')) return [[own, tensor]];
    const third = (tensor.shape[0] ?? 0) / 3;
    return ['q', 'k', 'v'].map((letter, i) => {
      return [own.replace('.qkv.', `.${letter}_proj.`), rowsOf(tensor, i * third, (i + 1) * third)] as const;
    });
  };
}

/** Rows of a tensor in 16 bits. */
function rowsOf(tensor: FileTensor, first: number, end: number): FileTensor {
  const [, ...rest] = tensor.shape;
  const row = rest.reduce((product, size) => product * size, 1);
  const data = (tensor.read() as Uint16Array).slice(first * row, end * row);
  return inMemory({ dtype: tensor.dtype, shape: [end - first, ...rest], data });
}

/** The same names, types, shapes and bits. */
export function expectEqualTensors(found: FileTensors, expected: FileTensors): void {
  expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, tensor] of expected) {
    const other = found.get(name) as FileTensor;
    expect([name, other.dtype, other.shape]).toEqual([name, tensor.dtype, tensor.shape]);
    expect([name, Buffer.compare(bytesOf(other), bytesOf(tensor))]).toEqual([name, 0]);
  }
}

function bytesOf(tensor: FileTensor): Buffer {
  const { buffer, byteOffset, byteLength } = tensor.read();
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}
