/** Folders of recorded reference results, recognised by their files. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../errors.js';

export type RecordingKind = 'model' | 'metrics' | 'tokenizer' | 'datasets' | 'images';

export interface Recording {
  readonly kind: RecordingKind;
  readonly folder: string;
}

interface Signature {
  readonly kind: RecordingKind;
  /** Any of these names the kind. */
  readonly telling: readonly string[];
  /** All of these must exist. */
  readonly required: readonly string[];
}

const SIGNATURES: readonly Signature[] = [
  {
    kind: 'model',
    telling: ['case.safetensors', 'grads.safetensors'],
    required: ['model.safetensors', 'case.safetensors', 'grads.safetensors', 'case.json', 'config.json'],
  },
  { kind: 'metrics', telling: ['predictions.safetensors'], required: ['predictions.safetensors', 'case.json'] },
  { kind: 'tokenizer', telling: ['cases.json'], required: ['cases.json', 'tokenizer.model'] },
  { kind: 'datasets', telling: ['expected_val.json'], required: ['expected_val.json', 'data'] },
  { kind: 'images', telling: ['expected.json'], required: ['expected.json'] },
];

/**
 * The recordings at `folder`: itself, or those in the folders directly below it.
 *
 * @throws UserError when there is no such folder, when a recording lacks a file, or when there is no recording
 */
export function findRecordings(folder: string): Recording[] {
  if (!existsSync(folder)) throw new UserError(`${folder}: no such folder`);
  if (!statSync(folder).isDirectory()) {
    throw new UserError(`${folder} is not a folder; verify takes folders of recorded results`);
  }
  const own = recognise(folder);
  if (own !== null) return [{ kind: own, folder }];
  const below = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(folder, entry.name))
    .sort()
    .flatMap((path) => {
      const kind = recognise(path);
      return kind === null ? [] : [{ kind, folder: path }];
    });
  if (below.length > 0) return below;
  const known = SIGNATURES.map(({ kind, required }) => `${kind} (${required.join(', ')})`).join('; ');
  throw new UserError(`${folder} holds no recorded results; a folder of them is recognised by its files: ${known}`);
}

function recognise(folder: string): RecordingKind | null {
  const has = (name: string): boolean => existsSync(join(folder, name));
  const signature = SIGNATURES.find(({ telling }) => telling.some(has));
  if (signature === undefined) return null;
  const missing = signature.required.filter((name) => !has(name));
  if (missing.length > 0) {
    throw new UserError(
      `${folder}: ${missing.join(', ')} is missing in this ${signature.kind} recording; copy it again`,
    );
  }
  return signature.kind;
}
