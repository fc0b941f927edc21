/**
 * Which files of a published model are on this machine: in one folder, or in the Hugging Face cache. Of weights only the
 * headers are read: whether all numbers are there, not what they are.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import { openCheckpoint } from '../../io/checkpoint-files.js';
import type { FileTensors } from '../../io/file-tensor.js';
import { cachedSnapshot } from '../../io/cache/hub-cache.js';
import { openModelDirectory } from '../../checkpoints/checkpoint-directory.js';
import { sizesOfFolder } from '../model-configs.js';
import { configOf } from '../shared/model-config.js';
import { ownNames, type PublishedPart } from '../shared/published/names.js';
import type { Backbone, Piece, ReleasedModel } from './entry.js';
import { ADDED_ROWS } from './pieces.js';

export interface Found {
  readonly state: 'there' | 'missing' | 'broken';
  /** Where it is; null where it is missing. */
  readonly path: string | null;
  /** Its fault, where it is broken. */
  readonly fault: string | null;
}

export const MISSING: Found = { state: 'missing', path: null, fault: null };

/** A folder that pieces are looked for in, and what says where the cache is. */
export interface Places {
  readonly dir: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Where `gsva convert delta` is to leave the sum, or where LLaVA is published whole. */
export function llavaPlace({ llava }: Backbone): string {
  return 'whole' in llava ? llava.whole.place : llava.place;
}

export function findPiece({ place, hub, part, numbers, needs }: Piece, { dir, env }: Places): Found {
  const own = join(dir, place);
  const path = existsSync(own) || hub === null ? own : cachedSnapshot(hub, env);
  return path === null ? MISSING : examined(path, () => weightsFault(path, part, numbers, needs));
}

/** GSVA's own weights. The published code saves all of a model, or what was trained alone. */
function findWeights({ name, backbone }: ReleasedModel, { dir }: Places): Found {
  const path = join(dir, `${name}.bin`);
  const { trained, all } = backbone.numbers;
  const rows = 2 * ADDED_ROWS * backbone.hiddenSize;
  const numbers = { least: trained - rows, most: all + rows };
  return examined(path, () =>
    weightsFault(path, 'weights', numbers, 'file', (tensors) => rankFault(tensors, backbone)),
  );
}

/** The folder that `gsva convert` makes of all of them. */
function findConverted({ name, backbone }: ReleasedModel, { dir }: Places): Found {
  const path = join(dir, name);
  return examined(path, () => {
    const { llm, lora } = configOf(openModelDirectory(path));
    const is = describe(llm.hiddenSize, llm.numHiddenLayers, lora.r);
    const wanted = describe(backbone.hiddenSize, backbone.layers, backbone.loraRank);
    return is === wanted ? null : `it has ${is}; ${backbone.title} has ${wanted}`;
  });
}

type FoundParts = Readonly<Record<'converted' | 'llava' | 'clip' | 'sam' | 'weights', Found>> &
  /** The two summands of LLaVA; null where it is published whole. */
  Readonly<Record<'base' | 'delta', Found | null>>;

export type FoundModel = FoundParts & {
  /**
   * 'complete': it can be asked, converted or from its files. 'files': LLaVA is still to be made of base and delta.
   * 'partial': files are missing. 'absent': so is GSVA's own.
   */
  readonly state: 'complete' | 'files' | 'partial' | 'absent' | 'broken';
};

export function findModel(model: ReleasedModel, places: Places): FoundModel {
  const { llava, clip, sam } = model.backbone;
  const isWhole = 'whole' in llava;
  // As `gsva convert delta` leaves it.
  const sum = isWhole ? llava.whole : { ...llava.delta, hub: null, place: llava.place, numbers: llava.numbers };
  const parts = {
    converted: findConverted(model, places),
    llava: findPiece(sum, places),
    base: isWhole ? null : findPiece(llava.base, places),
    delta: isWhole ? null : findPiece(llava.delta, places),
    clip: findPiece(clip, places),
    sam: findPiece(sam, places),
    weights: findWeights(model, places),
  };
  return { ...parts, state: stateOf(parts) };
}

function stateOf(found: FoundParts): FoundModel['state'] {
  const { converted, llava, base, delta, clip, sam, weights } = found;
  if (converted.state === 'there') return 'complete';
  const isThere = (part: Found | null): boolean => part?.state === 'there';
  const others = [clip, sam, weights].every(isThere);
  if (others && isThere(llava)) return 'complete';
  if (Object.values(found).some((part: Found | null) => part?.state === 'broken')) return 'broken';
  if (others && isThere(base) && isThere(delta)) return 'files';
  // Other models need the other files too: they do not say that somebody wants this one.
  return weights.state === 'missing' ? 'absent' : 'partial';
}

function weightsFault(
  path: string,
  part: PublishedPart,
  { least, most }: Piece['numbers'],
  needs: Piece['needs'],
  more: (tensors: FileTensors) => string | null = () => null,
): string | null {
  if (statSync(path).isDirectory() !== (needs !== 'file')) {
    return `it is ${needs === 'file' ? 'a folder; it should be a file' : 'a file; it should be a folder'}`;
  }
  const absent = needs === 'file' ? [] : needs.filter((name) => !existsSync(join(path, name)));
  if (absent.length > 0) return `${absent.join(' and ')} ${absent.length === 1 ? 'is' : 'are'} missing`;
  const { tensors } = openCheckpoint(path);
  const count = usedNumbers(part, tensors);
  if (count >= least && count <= most) return more(tensors);
  const wanted = least === most ? amount(least) : `${amount(least)} to ${amount(most)}`;
  return `its weights have ${amount(count)} numbers that are used; there should be ${wanted}`;
}

/** Numbers that a model takes of a file: CLIP's text encoder, say, is left out. */
export function usedNumbers(part: PublishedPart, tensors: FileTensors): number {
  const names = ownNames(part, tensors.keys());
  let count = 0;
  for (const [name, { shape }] of tensors) {
    if ('name' in (names.get(name) ?? {})) count += shape.reduce((product, size) => product * size, 1);
  }
  return count;
}

function rankFault(tensors: FileTensors, { loraRank, title }: Backbone): string | null {
  const adapter = [...tensors].find(([name]) => name.includes('.lora_A.'));
  if (adapter === undefined) return 'it has no LoRA: these are not weights that GSVA trained';
  const rank = adapter[1].shape[0] ?? 0;
  return rank === loraRank ? null : `its LoRA has rank ${rank}; that of ${title} has ${loraRank}`;
}

/** @param fault null where all is well */
function examined(path: string, fault: () => string | null): Found {
  if (!existsSync(path)) return MISSING;
  try {
    const found = fault();
    return { state: found === null ? 'there' : 'broken', path, fault: found };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { state: 'broken', path, fault: error.message };
  }
}

function describe(hiddenSize: number, layers: number, rank: number): string {
  return `${layers} layers of ${hiddenSize} and LoRA of rank ${rank}`;
}

function amount(count: number): string {
  return count.toLocaleString('en-US');
}

/** A folder of ours that comes with the package. */
export function findPackaged(path: string): Found {
  return examined(path, () => {
    sizesOfFolder(openModelDirectory(path));
    return null;
  });
}
