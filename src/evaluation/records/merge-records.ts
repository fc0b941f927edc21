/** The shards of one run, joined: images in the order of the split, so that every sum is added up as in one process. */
import { UserError } from '../../errors.js';
import { refuseUnfinished } from './record-file.js';
import { identityDifferences, WHOLE, type RecordFile } from './record.js';

/** @param files every shard, in any order @throws UserError for other runs, or a shard missing, twice or unfinished */
export function mergeRecords(files: readonly RecordFile[]): Omit<RecordFile, 'path'> {
  const [first] = files;
  if (first === undefined) throw new UserError('Joining records: no file is given.');
  const { count } = first.header.shard;
  const byShard = new Map<number, RecordFile>();
  for (const file of files) {
    refuseOther(first, file);
    const { index } = file.header.shard;
    const same = byShard.get(index);
    if (same !== undefined) {
      throw new UserError(
        `Joining records: ${same.path} and ${file.path} are both shard ${index} of ${count}. Name each shard once.`,
      );
    }
    byShard.set(index, file);
  }
  const missing = Array.from({ length: count }, (_, index) => index).filter((index) => !byShard.has(index));
  if (missing.length > 0) {
    throw new UserError(
      `Joining records: of ${count} shards ${missing.slice(0, 8).join(', ')} ${missing.length === 1 ? 'is' : 'are'} ` +
        'missing. Name the files of all of them.',
    );
  }
  for (const file of files) refuseUnfinished(file);
  const images = files.flatMap((file) => file.images).sort((a, b) => a.image - b.image);
  const date = files.map(({ header }) => header.date).reduce((a, b) => (Date.parse(a) <= Date.parse(b) ? a : b));
  return { header: { ...first.header, shard: WHOLE, date }, images };
}

function refuseOther(first: RecordFile, file: RecordFile): void {
  const [difference] = identityDifferences(first.header, file.header);
  if (difference !== undefined) {
    const { key, values } = difference;
    throw new UserError(
      `Joining records: ${first.path} and ${file.path} are of different runs: ${key} is ${values[0]} and ${values[1]}.`,
    );
  }
  const [a, b] = [first.header.shard.count, file.header.shard.count];
  if (a === b) return;
  throw new UserError(
    `Joining records: ${first.path} is one of ${a} shards, ${file.path} one of ${b}. Name the shards of one division.`,
  );
}
