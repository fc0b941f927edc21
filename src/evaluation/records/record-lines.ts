/**
 * The lines of a file of records: as text and back.
 *
 *     {"kind":"gsva-records","version":1,"dataset":"grefcoco","split":"val", …}       once, at the head
 *     {"kind":"expression","protocol":"strict","imageId":7,"expression":"red circle", …}
 *     {"kind":"image","image":0,"imageId":7, …}                                       closes an image
 *
 * An image counts when its closing line is there; what stands after the last one is what a crash cut off.
 */
import { rleFromString } from '../../data/masks/coco-mask.js';
import { UserError } from '../../errors.js';
import { JsonReader } from '../../io/json/json-reader.js';
import { readTextLines } from '../../io/text-lines.js';
import { RECORDED_WORDS } from '../../systems/recorded-words.js';
import { BENCHMARK_NAMES } from '../benchmarks/benchmarks.js';
import { GRES_PROTOCOLS } from '../metrics/gres-score.js';
import {
  RECORD_VERSION,
  REFUSAL_REASONS,
  type ExpressionRecord,
  type ImageRecord,
  type RecordHeader,
  type Refusal,
} from './record.js';
import { gsvaCommand } from '../../program.js';

const HEADER = 'gsva-records';
const ANSWERS = ['found', 'absent', 'none'] as const;
/** Far more than the runs of any mask take; bounds what a hostile file makes us hold. */
const LONGEST_LINE = 2 ** 26;

export interface ClosingLine {
  readonly closed: Omit<ImageRecord, 'records'>;
  /** Lines that belong to the image. */
  readonly expressions: number;
}

export function headerLine(header: RecordHeader): string {
  return `${JSON.stringify({ kind: HEADER, version: RECORD_VERSION, ...header })}\n`;
}

/** All lines of an image, the closing one last. */
export function imageLines({ records, ...image }: ImageRecord): string {
  const lines = records.map((record) =>
    JSON.stringify({ kind: 'expression', ...record, answer: RECORDED_WORDS[record.answer] }),
  );
  lines.push(JSON.stringify({ kind: 'image', ...image, expressions: records.length }));
  return `${lines.join('\n')}\n`;
}

/** A complete line of a file, without its line feed. */
export interface Line {
  /** From 1. */
  readonly number: number;
  readonly text: string;
  /** Bytes of the file up to and with its line feed. */
  readonly end: number;
}

/** Complete lines of a file. @throws UserError when it cannot be read, or a line is not UTF-8 or endless */
export function* linesOf(path: string): Generator<Line> {
  for (const { number, text, fault, end } of readTextLines(path, 'records of an evaluation', LONGEST_LINE)) {
    if (end === null) return;
    if (fault !== null) throw new UserError(`Reading records: line ${number} of ${path} cannot be read: ${fault}.`);
    yield { number, text, end };
  }
}

/** Whether a file holds nothing, or the begin of a header and nothing else: a run was cut off as it began. */
export function isBarelyBegun(path: string): boolean {
  const [first] = readTextLines(path, 'records of an evaluation', LONGEST_LINE);
  return first === undefined || (first.end === null && first.text.startsWith(`{"kind":"${HEADER}"`));
}

/** @returns which kind of line it is, and a reader that names file and line in its errors */
export function openLine(path: string, { number, text }: Line): { kind: string; root: JsonReader } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError(`Reading records: line ${number} of ${path} is not valid JSON. The file is damaged there.`);
  }
  const root = JsonReader.of(value, `${path}, line ${number}`);
  return { kind: root.key('kind').oneOf([HEADER, 'expression', 'image']), root };
}

export function readHeader(path: string, line: Line | undefined): RecordHeader {
  const advice = `Name a file that \`${gsvaCommand('eval … --records FILE')}\` has written.`;
  if (line === undefined) throw new UserError(`Reading records: ${path} is empty. ${advice}`);
  const { kind, root } = openLine(path, line);
  if (kind !== HEADER) throw new UserError(`Reading records: ${path} does not begin with a header. ${advice}`);
  root.key('version').integer({ min: RECORD_VERSION, max: RECORD_VERSION });
  const protocols = root
    .key('protocols')
    .array()
    .map((protocol) => protocol.oneOf(GRES_PROTOCOLS));
  if (protocols.length === 0 || new Set(protocols).size !== protocols.length) {
    root.key('protocols').fail('one protocol or several different ones');
  }
  const count = root.key('shard').key('count').integer({ min: 1 });
  return {
    dataset: root.key('dataset').string(),
    split: root.key('split').string(),
    benchmark: root.key('benchmark').oneOf(BENCHMARK_NAMES),
    question: root.key('question').string(),
    protocols,
    images: root.key('images').integer({ min: 0 }),
    batch: root.key('batch').integer({ min: 1 }),
    model: root.key('model').string(),
    configDigest: root.key('configDigest').string(),
    checkpoint: root.key('checkpoint').string(),
    weightsDigest: root.key('weightsDigest').string(),
    rejectThreshold: root.optional('rejectThreshold')?.number({ min: 0, max: 1 }) ?? null,
    minimumPixels: root.key('minimumPixels').integer({ min: 0 }),
    honourIgnore: root.key('honourIgnore').boolean(),
    engine: root.key('engine').string(),
    shard: {
      index: root
        .key('shard')
        .key('index')
        .integer({ min: 0, max: count - 1 }),
      count,
    },
    date: readDate(root.key('date')),
  };
}

function readDate(date: JsonReader): string {
  return Number.isNaN(Date.parse(date.string())) ? date.fail('a date') : date.string();
}

function readAnswer(word: JsonReader): ExpressionRecord['answer'] {
  const written = word.oneOf(Object.values(RECORDED_WORDS));
  return ANSWERS.find((answer) => RECORDED_WORDS[answer] === written) ?? 'none';
}

export function readExpression(root: JsonReader): ExpressionRecord {
  const count = (key: string): number => root.key(key).integer({ min: 0 });
  const [height, width] = [root.key('height').integer({ min: 1 }), root.key('width').integer({ min: 1 })];
  const other = root.optional('other');
  const mask = root.optional('mask');
  if (mask !== null) checkMask(mask, height, width);
  return {
    protocol: root.key('protocol').oneOf(GRES_PROTOCOLS),
    imageId: root.key('imageId').integer(),
    fileName: root.key('fileName').string(),
    height,
    width,
    index: count('index'),
    expression: root.key('expression').string(),
    targets: count('targets'),
    answer: readAnswer(root.key('answer')),
    rejectProbability: root.optional('rejectProbability')?.number({ min: 0, max: 1 }) ?? null,
    score: root.key('score').number({ min: 0, max: 1 }),
    targetIsEmpty: root.key('targetIsEmpty').boolean(),
    decisionIsRight: root.key('decisionIsRight').boolean(),
    iou: root.key('iou').number({ min: 0, max: 1 }),
    intersection: count('intersection'),
    union: count('union'),
    targetArea: count('targetArea'),
    predictedArea: count('predictedArea'),
    boxIou: root.optional('boxIou')?.number({ min: 0, max: 1 }) ?? null,
    boundaryErrors: root.optional('boundaryErrors')?.integer({ min: 0 }) ?? null,
    other:
      other === null
        ? null
        : {
            expression: other.key('expression').integer({ min: 0 }),
            share: other.key('share').number({ min: 0, max: 1 }),
          },
    mask: mask?.string() ?? null,
  };
}

function checkMask(mask: JsonReader, height: number, width: number): void {
  try {
    rleFromString(mask.string(), height, width);
  } catch (error) {
    if (error instanceof UserError) mask.fail(`the runs of a mask of ${height} × ${width} pixels (${error.message})`);
    throw error;
  }
}

export function readClosing(root: JsonReader): ClosingLine {
  const faults = root.optional('faults');
  const closed = {
    image: root.key('image').integer({ min: 0 }),
    imageId: root.key('imageId').integer(),
    fileName: root.key('fileName').string(),
    height: root.key('height').integer({ min: 0 }),
    width: root.key('width').integer({ min: 0 }),
    seconds: root.key('seconds').number({ min: 0 }),
    date: readDate(root.key('date')),
    replies: root
      .key('replies')
      .array()
      .map((reply) => ({
        protocol: reply.key('protocol').oneOf(GRES_PROTOCOLS),
        question: reply.key('question').string(),
        answer: reply.key('answer').string(),
      })),
    faults:
      faults === null
        ? null
        : {
            unknown: faults.key('unknown').integer({ min: 0 }),
            repeated: faults.key('repeated').integer({ min: 0 }),
            unanswered: faults.key('unanswered').integer({ min: 0 }),
          },
    refused: root.key('refused').array().map(readRefusal),
  };
  return { closed, expressions: root.key('expressions').integer({ min: 0 }) };
}

function readRefusal(root: JsonReader): Refusal {
  return {
    index: root.optional('index')?.integer({ min: 0 }) ?? null,
    expression: root.optional('expression')?.string() ?? null,
    reason: root.key('reason').oneOf(REFUSAL_REASONS),
    message: root.key('message').string(),
  };
}
