/** A file of records: written as results come, read strictly, continued after an interruption, joined from its shards. */
import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { UserError, messageOf } from '../../errors.js';
import { gsvaCommand } from '../../program.js';
import { readAs } from '../../schema.js';
import { CLOSING_LINE, EXPRESSION_RECORD, identityDifferences, shardSize, WHOLE } from './record.js';
import { headerLine, imageLines, isBarelyBegun, type Line, linesOf, openLine, readHeader } from './record.js';
import type { RecordFile, RecordHeader } from './record.js';
import type { ExpressionRecord, ImageRecord } from './record-types.js';

/** Appends images to a file; each is on disk when `write` returns. */
export class RecordWriter {
  private file: number | null;
  /** Nothing but a header is in the file, and this writer has begun it. */
  private isBare = false;

  private constructor(
    private readonly path: string,
    file: number,
  ) {
    this.file = file;
  }

  /** @throws UserError when the file exists: records cost hours and are never overwritten */
  static create(path: string, header: RecordHeader): RecordWriter {
    if (existsSync(path)) {
      throw new UserError(
        `Writing records: ${path} is there already. Go on with it by --resume, or name another file.`,
      );
    }
    return explained(path, () => {
      mkdirSync(dirname(path), { recursive: true });
      const writer = new RecordWriter(path, openSync(path, 'wx'));
      writer.append(headerLine(header));
      writer.isBare = true;
      return writer;
    });
  }

  /** Continues a file, without its unfinished last image, or begins it. @throws UserError when it is of another run */
  static resume(path: string, header: RecordHeader): { writer: RecordWriter; earlier: readonly ImageRecord[] } {
    if (existsSync(path) && isBarelyBegun(path)) explained(path, () => unlinkSync(path));
    if (!existsSync(path)) return { writer: RecordWriter.create(path, header), earlier: [] };
    const { file, end } = readTo(path);
    refuseOtherRun(path, file.header, header);
    return explained(path, () => {
      const handle = openSync(path, 'r+');
      ftruncateSync(handle, end);
      closeSync(handle);
      return { writer: new RecordWriter(path, openSync(path, 'a')), earlier: file.images };
    });
  }

  write(image: ImageRecord): void {
    explained(this.path, () => {
      this.append(imageLines(image));
    });
    this.isBare = false;
  }

  /** Closes the file of a run that failed; one that it has begun, and that holds no image yet, is removed. */
  abandon(): void {
    this.close();
    if (this.isBare) explained(this.path, () => unlinkSync(this.path));
    this.isBare = false;
  }

  /** A second call does nothing. */
  close(): void {
    if (this.file !== null) closeSync(this.file);
    this.file = null;
  }

  private append(text: string): void {
    if (this.file === null) throw new Error(`RecordWriter: ${this.path} is closed`);
    const bytes = Buffer.from(text, 'utf8');
    for (let at = 0; at < bytes.length;) at += writeSync(this.file, bytes, at);
    fsyncSync(this.file);
  }
}

function refuseOtherRun(path: string, found: RecordHeader, wanted: RecordHeader): void {
  const shards = [found.shard, wanted.shard].map(({ index, count }) => `${index}/${count}`);
  const ofShards = shards[0] === shards[1] ? [] : [{ key: 'shard', values: shards }];
  const [first] = [...identityDifferences(found, wanted), ...ofShards];
  if (first === undefined) return;
  throw new UserError(
    `Resuming: ${path} is of another run: its ${first.key} is ${first.values[0]}, now it is ${first.values[1]}. ` +
      'Use what the run was begun with, or name another file.',
  );
}

function explained<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`Writing records: ${path}: ${messageOf(error)}. Check the path and the free space.`);
  }
}

/** Reads a file, without an image cut off at its end. @throws UserError that names the file and the line */
export function readRecords(path: string): RecordFile {
  return readTo(path).file;
}

/** Reads the file of a complete run. @throws UserError as `readRecords`, and when images are missing */
export function readWholeRun(path: string): RecordFile {
  const file = readRecords(path);
  const { index, count } = file.header.shard;
  if (count > 1) {
    throw new UserError(
      `Reading records: ${path} holds shard ${index} of ${count} alone. ` +
        `Join all of them first with \`${gsvaCommand('report merge')}\`.`,
    );
  }
  refuseUnfinished(file);
  return file;
}

/** The file as text, piece after piece, for writing it at once. */
export function* recordText({ header, images }: Pick<RecordFile, 'header' | 'images'>): Generator<Buffer> {
  yield Buffer.from(headerLine(header), 'utf8');
  for (const image of images) yield Buffer.from(imageLines(image), 'utf8');
}

/** @throws UserError when images of the file's shard are missing */
function refuseUnfinished({ path, header, images }: RecordFile): void {
  const expected = shardSize(header.images, header.shard);
  if (images.length === expected) return;
  throw new UserError(
    `Reading records: ${path} holds ${images.length} of ${expected} images. ` +
      `Finish the run with \`${gsvaCommand('eval … --resume')}\`.`,
  );
}

/** @returns what is complete, and the number of bytes that it takes */
function readTo(path: string): { file: RecordFile; end: number } {
  const lines = linesOf(path);
  const first = lines.next().value as Line | undefined;
  const header = readHeader(path, first);
  const images: ImageRecord[] = [];
  let pending: ExpressionRecord[] = [];
  let end = first?.end ?? 0;
  for (const line of lines) {
    const { kind, value, source } = openLine(path, line);
    if (kind === 'expression') pending.push(readAs(EXPRESSION_RECORD, value, source));
    else if (kind === 'image') {
      const { expressions, ...closed } = readAs(CLOSING_LINE, value, source);
      const image = { ...closed, records: pending };
      checkImage(path, line.number, header, images.length, image, expressions);
      images.push(image);
      pending = [];
      end = line.end;
    } else throw new UserError(`Reading records: line ${line.number} of ${path} is a second header.`);
  }
  return { file: { path, header, images }, end };
}

function checkImage(
  path: string,
  line: number,
  { shard, images, protocols }: RecordHeader,
  done: number,
  { image, imageId, records }: ImageRecord,
  expressions: number,
): void {
  const wrong = (what: string): never => {
    throw new UserError(`Reading records: line ${line} of ${path} ${what}. The file is damaged or was put together.`);
  };
  const expected = shard.index + done * shard.count;
  if (image !== expected) wrong(`closes image ${image}, expected image ${expected}`);
  if (image >= images) wrong(`closes image ${image} of ${images}`);
  if (expressions !== records.length || records.length % protocols.length !== 0) {
    wrong(`closes an image of ${expressions} results after ${records.length}`);
  }
  const each = records.length / protocols.length;
  // Where expressions were refused their places are missing: ascending, the same for every protocol.
  for (const [i, record] of records.entries()) {
    const before = i % each === 0 ? -1 : (records[i - 1]?.index ?? -1);
    const isFirst = i < each ? record.index > before : record.index === records[i % each]?.index;
    const inPlace = record.protocol === protocols[Math.floor(i / each)] && isFirst;
    if (!inPlace || record.imageId !== imageId)
      wrong(`closes image ${image}, but its result ${i + 1} is of another place`);
  }
}

/**
 * The shards of one run, joined: images in the order of the split, so that every sum is added up as in one process.
 * @param files every shard, in any order
 * @throws UserError for other runs, or a shard missing, twice or unfinished
 */
export function mergeRecords(files: readonly RecordFile[]): Omit<RecordFile, 'path'> {
  const refuse = (why: string): never => {
    throw new UserError(`Joining records: ${why}.`);
  };
  const first = files[0] ?? refuse('no file is given');
  const { count } = first.header.shard;
  const byShard = new Map<number, RecordFile>();
  for (const file of files) {
    const [difference] = identityDifferences(first.header, file.header);
    if (difference !== undefined) {
      const { key, values } = difference;
      refuse(`${first.path} and ${file.path} are of different runs: ${key} is ${values[0]} and ${values[1]}`);
    }
    const { index, count: other } = file.header.shard;
    if (other !== count) {
      refuse(`${first.path} is one of ${count} shards, ${file.path} one of ${other}. Name the shards of one division`);
    }
    const same = byShard.get(index);
    if (same !== undefined) {
      refuse(`${same.path} and ${file.path} are both shard ${index} of ${count}. Name each shard once`);
    }
    byShard.set(index, file);
  }
  const missing = Array.from({ length: count }, (_, index) => index).filter((index) => !byShard.has(index));
  if (missing.length > 0) {
    refuse(
      `of ${count} shards ${missing.slice(0, 8).join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing. ` +
        'Name the files of all of them',
    );
  }
  for (const file of files) refuseUnfinished(file);
  const images = files.flatMap((file) => file.images).sort((a, b) => a.image - b.image);
  const date = files.map(({ header }) => header.date).reduce((a, b) => (Date.parse(a) <= Date.parse(b) ? a : b));
  return { header: { ...first.header, shard: WHOLE, date }, images };
}
