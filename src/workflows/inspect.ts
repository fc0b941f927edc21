/** The tensors in a file or folder of weights: listed, added up by type and part, and on request read. */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { UserError } from '../errors.js';
import { openCheckpoint } from '../io/checkpoint-files.js';
import type { FileTensor } from '../io/file-tensor.js';
import { describeParts } from '../io/folder-kind.js';
import { isRead } from '../io/safetensors/safetensors-header.js';
import { byteCount, outputBytes } from '../io/tensor-output.js';
import { type TensorStatistics, tensorStatistics } from '../io/tensor-statistics.js';
import { matches, partsOf, type SummaryItem, totalOf, totalsBy } from '../io/tensor-summary.js';
import { without } from '../schema.js';
import { counted, type Watch } from './watch.js';

interface InspectOptions extends Watch {
  readonly path: string;
  readonly stats: boolean;
  /** Only tensors whose name contains this; with a *, which stands for anything, whose whole name it is. */
  readonly match?: string;
}

export type Inspection = Awaited<ReturnType<typeof inspect>>;

interface Item extends SummaryItem {
  readonly shape: readonly number[];
  readonly tensor: FileTensor;
}

interface Content {
  /** Null for a type that is listed alone. */
  readonly statistics: TensorStatistics | null;
  /** Digest of type and bytes; null for a tensor that no other one can equal. */
  readonly digest: string | null;
}

/** Tensors of one type whose bytes are the same. */
export interface Duplicates {
  readonly names: readonly string[];
  readonly bytes: number;
  /** The value of all their numbers, where it is one: then they are equal by chance, as biases that are all 0. */
  readonly constant: number | null;
}

export async function inspect(options: InspectOptions) {
  const { path, stats, match } = options;
  const { tensors, files, format, within = null } = openCheckpoint(path);
  const all = [...tensors].map(([name, tensor]): Item => {
    const { dtype, shape } = tensor;
    const numbers = shape.reduce((product, size) => product * size, 1);
    return { name, dtype, shape, numbers, bytes: byteCount(tensor), tensor };
  });
  const items = match === undefined ? all : all.filter(({ name }) => matches(name, match));
  if (match !== undefined && items.length === 0) {
    throw new UserError(
      `${path} has ${all.length} tensors, but none that --match ${JSON.stringify(match)} finds; without --match all are listed`,
    );
  }
  const contents = stats ? await readAll(items, options) : null;
  const partOf = partsOf(all.map(({ name }) => name));
  return {
    format,
    files,
    /** The place inside a file that holds the tensors; null where it is the file itself. */
    within,
    /** The kind of model that the shapes are of, in words; null where unknown. */
    about: describeParts(all.map(({ shape }) => shape)),
    /** In the order of the files; statistics are null where it was not read, and for a type that is listed alone. */
    tensors: items.map((item, i) => ({ ...without(item, 'tensor'), statistics: contents?.[i]?.statistics ?? null })),
    total: totalOf(items),
    dtypes: totalsBy(items, ({ dtype }) => dtype),
    parts: totalsBy(items, ({ name }) => partOf(name)),
    duplicates: contents === null ? null : duplicatesIn(items, contents),
  };
}

/** Reads tensor by tensor; in memory is never more than one. */
async function readAll(items: readonly Item[], options: InspectOptions): Promise<Content[]> {
  const kindOf = ({ dtype, bytes }: SummaryItem): string => `${dtype} ${bytes}`;
  const kinds = new Map<string, number>();
  for (const item of items) kinds.set(kindOf(item), (kinds.get(kindOf(item)) ?? 0) + 1);
  const contents: Content[] = [];
  const report = counted(options, 'reading (MB)');
  const total = totalOf(items).bytes / 1e6;
  let done = 0;
  for (const item of items) {
    options.signal?.throwIfAborted();
    const canHaveEqual = item.bytes > 0 && (kinds.get(kindOf(item)) ?? 0) > 1;
    contents.push(readOne(item, canHaveEqual));
    done += item.bytes / 1e6;
    report(done, total);
    // Reading waits for nothing; without this, Ctrl-C would come through at the end only.
    await setImmediate();
  }
  return contents;
}

function readOne({ name, tensor }: Item, withDigest: boolean): Content {
  const { dtype, shape } = tensor;
  if (!isRead(dtype)) return { statistics: null, digest: null };
  const data = tensor.read();
  const statistics = tensorStatistics({ dtype, shape, data });
  if (!withDigest) return { statistics, digest: null };
  const hash = createHash('sha256').update(`${dtype}\n`);
  for (const piece of outputBytes({ name, dtype, shape, read: () => data })) hash.update(piece);
  return { statistics, digest: hash.digest('hex') };
}

function duplicatesIn(items: readonly Item[], contents: readonly Content[]): Duplicates[] {
  const groups = new Map<string, Duplicates & { readonly names: string[] }>();
  for (const [i, { name, bytes }] of items.entries()) {
    const { digest, statistics } = contents[i] as Content;
    if (digest === null || statistics === null) continue;
    const { min, max, nan, infinite } = statistics;
    const constant = min === max && nan === 0 && infinite === 0 ? min : null;
    const group = groups.get(digest) ?? { names: [], bytes, constant };
    group.names.push(name);
    groups.set(digest, group);
  }
  return [...groups.values()].filter(({ names }) => names.length > 1);
}
