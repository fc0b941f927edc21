/** The work behind `gsva inspect`. */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { UserError } from '../errors.js';
import { openCheckpoint } from '../io/checkpoint-files.js';
import type { FileTensor } from '../io/file-tensor.js';
import { describeParts } from '../io/folder-kind.js';
import { isRead } from '../io/safetensors/safetensors-header.js';
import { byteCount, outputBytes } from '../io/tensor-output.js';
import { type TensorStatistics, tensorStatistics } from '../io/tensor-statistics.js';
import { bytesText } from '../machine.js';
import { type SummaryItem, type Total, matches, partsOf, printable, totalOf, totalsBy } from './inspect-summary.js';
import type { Cell } from './output.js';
import type { VerbContext } from './verb.js';

export interface InspectRequest {
  readonly path: string;
  readonly withStatistics: boolean;
  readonly match: string | undefined;
}

interface Item extends SummaryItem {
  readonly shape: readonly number[];
  readonly tensor: FileTensor;
}

/** What reading a tensor brings. */
interface Content {
  /** Null for a type that is listed alone. */
  readonly statistics: TensorStatistics | null;
  /** Of type and bytes; null for a tensor that no other one can be equal to. */
  readonly digest: string | null;
}

/** Tensors of one type whose bytes are the same. */
interface Duplicates {
  readonly names: readonly string[];
  /** Of each. */
  readonly bytes: number;
  /** The value of all their numbers, where it is one: then they are equal by chance, as biases that are all 0. */
  readonly constant: number | null;
}

/** @returns the exit code */
export async function runInspect(request: InspectRequest, context: VerbContext): Promise<number> {
  const { path, withStatistics, match } = request;
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
  const contents = withStatistics ? await readAll(items, context) : null;
  const partOf = partsOf(all.map(({ name }) => name));
  const summary = {
    total: totalOf(items),
    dtypes: totalsBy(items, ({ dtype }) => dtype),
    parts: totalsBy(items, ({ name }) => partOf(name)),
    duplicates: contents === null ? null : duplicatesIn(items, contents),
  };
  const about = describeParts(all.map(({ shape }) => shape));
  if (about !== null) context.note(`${path}: ${about}`);
  if (within !== null) context.output.line(` the tensors of ${within}`);
  show({ path, format, files }, items, contents, summary, context);
  context.output.json({
    ...{ path, format, files, ...(about === null ? {} : { about }), ...(within === null ? {} : { within }) },
    tensors: items.map(({ name, dtype, shape, numbers, bytes }, i) => {
      return { name, dtype, shape, numbers, bytes, ...contents?.[i]?.statistics };
    }),
    total: summary.total,
    dtypes: summary.dtypes.map(({ key, total }) => ({ dtype: key, ...total })),
    parts: summary.parts.map(({ key, total }) => ({ part: key, ...total })),
    ...(summary.duplicates === null ? {} : { duplicates: summary.duplicates }),
  });
  return 0;
}

/** Reads tensor by tensor; in memory is never more than one. */
async function readAll(items: readonly Item[], context: VerbContext): Promise<Content[]> {
  const kindOf = ({ dtype, bytes }: SummaryItem): string => `${dtype} ${bytes}`;
  const kinds = new Map<string, number>();
  for (const item of items) kinds.set(kindOf(item), (kinds.get(kindOf(item)) ?? 0) + 1);
  const contents: Content[] = [];
  const bar = context.startProgress('reading (MB)', totalOf(items).bytes / 1e6);
  let done = 0;
  try {
    for (const item of items) {
      context.signal.throwIfAborted();
      const canHaveEqual = item.bytes > 0 && (kinds.get(kindOf(item)) ?? 0) > 1;
      contents.push(readOne(item, canHaveEqual));
      done += item.bytes / 1e6;
      bar.update(done);
      // Reading does not wait for anything; without this, Ctrl-C would come through at the end only.
      await setImmediate();
    }
  } finally {
    bar.stop();
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

interface Summary {
  readonly total: Total;
  readonly dtypes: readonly { readonly key: string; readonly total: Total }[];
  readonly parts: readonly { readonly key: string; readonly total: Total }[];
  readonly duplicates: readonly Duplicates[] | null;
}

function show(
  source: { readonly path: string; readonly format: string; readonly files: readonly string[] },
  items: readonly Item[],
  contents: readonly Content[] | null,
  { total, dtypes, parts, duplicates }: Summary,
  { output }: VerbContext,
): void {
  if (output.isJson) return;
  const { path, format, files } = source;
  output.line(` ${path}: ${format}, ${files.length === 1 ? 'one file' : `${files.length} files`}`);
  output.line();
  const head = ['name', 'type', 'shape', 'bytes'];
  const statisticsHead = ['min', 'max', 'mean', 'deviation', 'NaN', 'Inf', '0'];
  output.list(
    contents === null ? head : [...head, ...statisticsHead],
    items.map(({ name, dtype, shape, bytes }, i): Cell[] => {
      const statistics = contents?.[i]?.statistics;
      return [printable(name), dtype, `[${shape.join(', ')}]`, bytes, ...(statistics ? cellsOf(statistics) : [])];
    }),
    { align: ['left', 'left', 'left', 'right', ...statisticsHead.map(() => 'right' as const)] },
  );
  const totalCells = (key: string, { tensors, numbers, bytes }: Total): Cell[] => {
    return [key, tensors, numbers, bytesText(bytes)];
  };
  for (const [title, totals] of [
    ['part', parts],
    ['type', dtypes],
  ] as const) {
    const rows = totals.map((each) => totalCells(printable(each.key), each.total));
    output.line();
    output.list([title, 'tensors', 'numbers', 'size'], [...rows, totalCells('all', total)], {
      align: ['left', 'right', 'right', 'right'],
    });
  }
  if (duplicates !== null) showDuplicates(duplicates, output);
}

function showDuplicates(duplicates: readonly Duplicates[], output: VerbContext['output']): void {
  output.line();
  const isOfOneValue = ({ constant }: Duplicates): boolean => constant !== null;
  const equal = duplicates.filter((group) => !isOfOneValue(group));
  if (equal.length === 0) output.line(' equal: none');
  for (const { names, bytes } of equal) {
    output.line(` equal, ${bytesText(bytes)} each: ${names.map(printable).join(', ')}`);
  }
  for (const { names, bytes, constant } of duplicates.filter(isOfOneValue)) {
    const [first = ''] = names.map(printable);
    output.line(` all ${String(constant)}, ${bytesText(bytes)} each: ${first} and ${names.length - 1} more`);
  }
}

function cellsOf({ min, max, mean, deviation, nan, infinite, zeros }: TensorStatistics): Cell[] {
  return [
    ...[min, max, mean, deviation].map((value) => (value === null ? '-' : shortNumber(value))),
    nan,
    infinite,
    zeros,
  ];
}

/** Four digits, or a whole number as it is. */
function shortNumber(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e6 ? String(value) : String(Number(value.toPrecision(4)));
}
