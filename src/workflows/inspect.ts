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
import { matches, partsOf, type SummaryItem, type Total, totalOf, totalsBy } from '../io/tensor-summary.js';
import { counted, type Watch } from './watch.js';

export interface InspectOptions extends Watch {
  /** A file, an index of files, or a folder with such files. */
  readonly path: string;
  /** Read the tensors too. */
  readonly stats: boolean;
  /** Only tensors whose name contains this; with a *, which stands for anything, whose whole name it is. */
  readonly match?: string;
}

export interface Inspection {
  readonly format: string;
  readonly files: readonly string[];
  /** The place inside a file that holds the tensors; null where it is the file itself. */
  readonly within: string | null;
  /** The kind of model that the shapes are of, in words; null where unknown. */
  readonly about: string | null;
  /** In the order of the files. */
  readonly tensors: readonly ListedTensor[];
  readonly total: Total;
  readonly dtypes: ReturnType<typeof totalsBy>;
  readonly parts: ReturnType<typeof totalsBy>;
  /** Equal tensors; null where none were read. */
  readonly duplicates: readonly Duplicates[] | null;
}

export interface ListedTensor extends SummaryItem {
  readonly shape: readonly number[];
  /** Null where it was not read, and for a type that is listed alone. */
  readonly statistics: TensorStatistics | null;
}

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

export async function inspect(options: InspectOptions): Promise<Inspection> {
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
    ...{ format, files, within },
    about: describeParts(all.map(({ shape }) => shape)),
    tensors: items.map(({ name, dtype, shape, numbers, bytes }, i) => {
      return { name, dtype, shape, numbers, bytes, statistics: contents?.[i]?.statistics ?? null };
    }),
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
  const groups = new Map<string, number[]>();
  contents.forEach(({ digest }, i) => {
    if (digest === null) return;
    const group = groups.get(digest);
    if (group === undefined) groups.set(digest, [i]);
    else group.push(i);
  });
  return [...groups.values()].flatMap((group) => {
    const [first, second] = group;
    if (first === undefined || second === undefined) return [];
    const { min, max, nan, infinite } = (contents[first] as Content).statistics as TensorStatistics;
    const names = group.map((i) => (items[i] as Item).name);
    const constant = min === max && nan === 0 && infinite === 0 ? min : null;
    return [{ names, bytes: (items[first] as Item).bytes, constant }];
  });
}
