/**
 * Adam's moments in a checkpoint: "m.NAME" and "v.NAME", whole, of one process; of several (ZeRO-2), rows
 * "m.NAME@START" of each. Any number of processes reads either.
 */
import { join } from 'node:path';
import type * as tf from '../../engine/tf.js';
import { UserError } from '../../errors.js';
import type { FileTensor } from '../../io/file-tensor.js';
import type { PendingFile } from '../../io/atomic/pending-file.js';
import { safetensorsPieces } from '../../io/safetensors/safetensors-writer.js';
import { openSafetensors } from '../../io/safetensors/safetensors.js';
import type { MomentPart, MomentReader } from './optimizer-rule.js';

/** "optimizer.safetensors", or "optimizer-00002-of-00004.safetensors" for the second of four ranks. */
export function momentFileName(rank: number, ranks: number): string {
  const number = (value: number): string => String(value).padStart(5, '0');
  return ranks === 1 ? 'optimizer.safetensors' : `optimizer-${number(rank + 1)}-of-${number(ranks)}.safetensors`;
}

/** A rank's file of moments. */
export function momentFile(
  parts: readonly MomentPart[],
  variables: ReadonlyMap<string, tf.Variable>,
  rank: number,
  ranks: number,
): PendingFile {
  const tensors = parts.flatMap(({ name, start, m, v }) => {
    const key = ranks === 1 ? name : `${name}@${start}`;
    const shape = ranks === 1 ? (variables.get(name)?.shape ?? []) : [m.length];
    return [
      [`m.${key}`, { shape, data: m }],
      [`v.${key}`, { shape, data: v }],
    ] as const;
  });
  const name = momentFileName(rank, ranks);
  return { name, pieces: safetensorsPieces(name, new Map(tensors)) };
}

/** A stretch of a moment as a file holds it. */
interface StoredPart {
  readonly key: string;
  readonly start: number;
  readonly end: number;
  readonly tensor: FileTensor;
}

/**
 * Opens a checkpoint's moments; tensors are read when asked for.
 * @param ranks that wrote them @param updated variables with moments @throws UserError naming file and tensor
 */
export function openMoments(dir: string, ranks: number, updated: ReadonlyMap<string, tf.Variable>): MomentReader {
  const parts = new Map<string, StoredPart[]>();
  for (let rank = 0; rank < ranks; rank++) {
    const path = join(dir, momentFileName(rank, ranks));
    for (const [key, tensor] of openSafetensors(path).tensors) {
      const { moment, variable, start } = placeOf(key, ranks, updated, path);
      if (tensor.dtype !== 'F32') throw refused(path, `it has no float32 tensor "${key}", but one of ${tensor.dtype}`);
      const shape = ranks === 1 ? variable.shape : [tensor.shape.reduce((product, size) => product * size, 1)];
      if (tensor.shape.length !== shape.length || tensor.shape.some((size, i) => size !== shape[i])) {
        throw refused(path, `"${key}" has shape [${tensor.shape.join(', ')}], expected [${shape.join(', ')}]`);
      }
      const length = shape.reduce((product, size) => product * size, 1);
      parts.set(moment, [...(parts.get(moment) ?? []), { key, start, end: start + length, tensor }]);
    }
  }
  for (const [name, { size }] of updated) {
    for (const moment of [`m.${name}`, `v.${name}`]) {
      const found = (parts.get(moment) ?? []).sort((a, b) => a.start - b.start);
      const end = found.reduce((reached, part) => (part.start === reached ? part.end : NaN), 0);
      if (end === size) continue;
      const where = join(dir, ranks === 1 ? momentFileName(0, 1) : 'optimizer-*.safetensors');
      const missing = found.length === 0 ? `it has no float32 tensor "${moment}"` : `"${moment}" is not complete`;
      throw refused(where, missing);
    }
  }
  return reader(parts);
}

function placeOf(
  key: string,
  ranks: number,
  updated: ReadonlyMap<string, tf.Variable>,
  path: string,
): { readonly moment: string; readonly variable: tf.Variable; readonly start: number } {
  const at = ranks === 1 ? key.length : key.lastIndexOf('@');
  const moment = key.slice(0, Math.max(at, 0));
  const variable = /^[mv]\./.test(moment) ? updated.get(moment.slice(2)) : undefined;
  const start = ranks === 1 ? 0 : Number(/^@(\d{1,15})$/.exec(key.slice(at))?.[1]);
  if (variable !== undefined && Number.isSafeInteger(start)) return { moment, variable, start };
  throw refused(path, `it has the tensor "${key}", which belongs to no updated variable`);
}

function reader(parts: ReadonlyMap<string, readonly StoredPart[]>): MomentReader {
  // Neighbouring stretches often lie in the same tensor.
  let last: { readonly part: StoredPart; readonly data: Float32Array } | null = null;
  return (moment, name, start, length) => {
    const numbers = new Float32Array(length);
    for (const part of parts.get(`${moment}.${name}`) ?? []) {
      const [from, to] = [Math.max(start, part.start), Math.min(start + length, part.end)];
      if (from >= to) continue;
      if (last?.part !== part) last = { part, data: part.tensor.read() as Float32Array };
      numbers.set(last.data.subarray(from - part.start, to - part.start), from - start);
    }
    return numbers;
  };
}

function refused(path: string, what: string): UserError {
  return new UserError(`Cannot continue training from ${path}: ${what}. Was it made by a run of another model?`);
}
