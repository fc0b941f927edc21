/**
 * Tensors that a model folder shares with the folder next to it, so that they are stored once. shared.json next to
 * model.safetensors names them: `{ "folder": "../NAME", "tensors": { name: SHA-256 of its bytes } }`.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../errors.js';
import type { FileTensor, FileTensors, TensorData } from './file-tensor.js';
import { JsonReader } from './json/json-reader.js';
import { openSafetensors } from './safetensors/safetensors.js';

export const WEIGHTS_FILE = 'model.safetensors';
export const SHARED_FILE = 'shared.json';

/**
 * The shared tensors of the folder that holds `weightsPath`, and the file that they lie in; null where it stores all of
 * its own.
 * @throws UserError when the folder next to it, or a tensor in it, is missing; a tensor's `read` throws one when its bytes
 *   are not the shared ones
 */
export function openShared(weightsPath: string): { readonly tensors: FileTensors; readonly path: string } | null {
  const sharedPath = join(dirname(weightsPath), SHARED_FILE);
  if (!weightsPath.endsWith(WEIGHTS_FILE) || !existsSync(sharedPath)) return null;
  const root = JsonReader.open(sharedPath, 'the shared tensors');
  const folder = root.key('folder').string();
  // The name is joined to a path: it must not lead elsewhere.
  if (!/^\.\.\/[\w-][\w.-]*$/.test(folder)) root.key('folder').fail('"../NAME", the folder next to this one');
  const path = join(dirname(sharedPath), folder, WEIGHTS_FILE);
  if (!existsSync(path)) {
    throw new UserError(
      `Reading weights: ${dirname(weightsPath)} shares weights with ${path}, which is missing. Copy both folders.`,
    );
  }
  const other = openSafetensors(path).tensors;
  const tensors = new Map<string, FileTensor>();
  for (const [name, digest] of root.key('tensors').entries()) {
    const tensor = other.get(name);
    if (tensor === undefined) throw changed(weightsPath, path, name);
    const read = (): TensorData => {
      const data = tensor.read();
      if (digestOf({ read: () => data }) !== digest.string()) throw changed(weightsPath, path, name);
      return data;
    };
    tensors.set(name, { ...tensor, read });
  }
  return { tensors, path };
}

export function digestOf(tensor: Pick<FileTensor, 'read'>): string {
  const { buffer, byteOffset, byteLength } = tensor.read();
  return createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');
}

function changed(weightsPath: string, path: string, name: string): UserError {
  return new UserError(
    `Reading weights: ${dirname(weightsPath)} shares "${name}" with ${path}, which has been changed. Restore both folders.`,
  );
}
