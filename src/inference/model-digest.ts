/** What tells one model from another: digests of its sizes and of the files of its weights. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { UserError, messageOf } from '../errors.js';
import { openCheckpoint } from '../io/checkpoint-files.js';
import { resolveHubName } from '../io/cache/hub-cache.js';
import type { ModelSource } from './open-model.js';

const CHUNK = 2 ** 22;

/** SHA-256 of config.json's contents; GSVA's without the system, which records of the first releases lack. */
export function configDigest(config: Readonly<Record<string, unknown>>): string {
  const { system, ...sizes } = config;
  const digested = system === 'gsva' ? sizes : { system, ...sizes };
  return createHash('sha256').update(JSON.stringify(digested)).digest('hex');
}

/**
 * SHA-256 over all files that the weights are read from; where they lie plays no part.
 * @throws UserError for a file that cannot be read
 */
export function weightsDigest(source: ModelSource): string {
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(CHUNK);
  for (const path of weightFiles(source)) {
    try {
      const file = openSync(path, 'r');
      try {
        for (let length = readSync(file, chunk); length > 0; length = readSync(file, chunk)) {
          hash.update(chunk.subarray(0, length));
        }
      } finally {
        closeSync(file);
      }
    } catch (error) {
      throw new UserError(`Reading the weights: ${path} cannot be read: ${messageOf(error)}.`);
    }
  }
  return hash.digest('hex');
}

function weightFiles(source: ModelSource): readonly string[] {
  if (typeof source === 'string') return openCheckpoint(resolveHubName(source, 'the model')).files;
  const { mllm, visionTower, sam, weights } = source;
  return [mllm, visionTower, sam, weights].flatMap((path) => {
    return path === null ? [] : openCheckpoint(resolveHubName(path, 'the model')).files;
  });
}
