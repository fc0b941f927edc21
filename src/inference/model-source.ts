/** How a model is named, a folder of ours or the files that the published code is given; what tells it from another. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { messageOf, UserError } from '../errors.js';
import { resolveHubName } from '../io/cache/hub-cache.js';
import { openCheckpoint } from '../io/checkpoint-files.js';
import { packagePath } from '../program.js';
import type { PublishedSource } from '../systems/published-files.js';

export type { PublishedSource };

/** A folder of ours (or its name in the local Hugging Face cache), or published files. */
export type ModelSource = string | PublishedSource;

/** Names of the models that come with the package. */
const PACKAGED: readonly string[] = ['tiny', 'tiny-base', 'tiny-self1e'];

/**
 * The folder of a packaged model by its name, wherever the package lies; everything else as it is. The name goes before
 * a folder of the working directory: that one is './tiny'.
 * @param source default: the packaged model
 */
export function packagedSource(source: ModelSource = 'tiny'): ModelSource {
  return typeof source === 'string' && PACKAGED.includes(source) ? packagePath('checkpoints', source) : source;
}

const OTHER_KEYS: readonly string[] = ['conversation', 'system', 'overrides'] satisfies (keyof PublishedSource)[];

/**
 * Check of a program's source: that files are named, not that they exist.
 * @throws UserError with the code 'bad-model' for what names no model
 */
export function checkSource(source: unknown): void {
  if (typeof source === 'string' && source !== '') return;
  if (typeof source === 'object' && source !== null && isPublished(source as Record<string, unknown>)) return;
  throw new UserError(
    'Loading a model: the model is named by its folder (a text), or by published files: an object with mllm, visionTower, ' +
      'sam and weights (texts; these three may be null), and conversation and overrides where needed.',
    'bad-model',
  );
}

function isPublished({ mllm, visionTower, sam, weights, ...rest }: Record<string, unknown>): boolean {
  const isNamed = (path: unknown): boolean => typeof path === 'string' && path !== '';
  return (
    isNamed(mllm) &&
    [visionTower, sam, weights].every((path) => path === null || isNamed(path)) &&
    Object.keys(rest).every((key) => OTHER_KEYS.includes(key))
  );
}

/** The folder, or the file of the weights; a path inside the package without that of the package. */
export function sourceName(source: ModelSource): string {
  const name = typeof source === 'string' ? source : (source.weights ?? source.mllm);
  const inside = relative(packagePath('checkpoints'), name);
  const isInside = inside !== '' && !inside.startsWith('..') && !inside.startsWith(sep);
  return isInside ? `checkpoints/${inside.split(sep).join('/')}` : name;
}

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
  const chunk = Buffer.alloc(2 ** 22);
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
  const paths = typeof source === 'string' ? [source] : [source.mllm, source.visionTower, source.sam, source.weights];
  return paths.flatMap((path) => (path === null ? [] : openCheckpoint(resolveHubName(path, 'the model')).files));
}
