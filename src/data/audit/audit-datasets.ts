/** Looks through the datasets below a folder: which are there, what they lack, what is wrong with them, what they have. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../errors.js';
import { readRecords } from '../annotation-files.js';
import type { CatalogueEntry, Figures, Part } from '../catalogue/entry.js';
import type { DatasetKind } from '../facts.js';
import { isListedName } from '../sem-seg/listed-maps.js';
import { sentencesOf, turnsOf } from '../vqa/llava-instruct.js';
import { QUESTION_SETS } from '../vqa/question-sets.js';
import { auditAnnotatedSet, auditReferSet } from './coco-audits.js';
import { ADVICE, type Audit, type AuditedFigures, type ExpectedImage, ImageChecker, ProblemList } from './audit.js';
import { auditLabelMapSet, auditReasonSet } from './folder-audits.js';
import { auditListedMaps } from './listed-maps-audit.js';
import { auditQuestionSet } from './question-audits.js';

/** A part of the layout and how much of it is present. */
export interface FoundPart {
  readonly part: Part;
  /** Files of a folder, or 1 for a file; 0 where it is missing or empty. */
  readonly found: number;
}

export interface DatasetReport {
  readonly entry: CatalogueEntry;
  /**
   * 'absent': nothing of its own is present; 'broken': with problems; 'partial': sound, with fewer images than
   * published; 'sound': without problems, of unpublished size; 'complete': everything is present.
   */
  readonly state: 'absent' | 'broken' | 'partial' | 'sound' | 'complete';
  readonly parts: readonly FoundPart[];
  readonly problems: ProblemList['list'];
  /** Null where nothing is present, or readable. */
  readonly figures: AuditedFigures | null;
}

interface AuditOptions {
  /** Looks into masks and image files too, not only into annotations. */
  readonly isThorough: boolean;
  /** Called for a dataset that is present, before its audit; may throw to end the work. */
  readonly onDataset?: (entry: CatalogueEntry) => void;
  /** Called with the progress of a dataset or a split of it; may throw to end the work. */
  readonly onImages?: (done: number, total: number) => void;
}

/** Nothing is written. Memory grows with the number of images, not of annotations. */
export async function auditDatasets(
  dataDir: string,
  entries: readonly CatalogueEntry[],
  { isThorough, onDataset, onImages }: AuditOptions,
): Promise<DatasetReport[]> {
  const images = new ImageChecker(onImages);
  const countFiles = rememberingCounts();
  const reports: DatasetReport[] = [];
  for (const entry of entries) {
    const parts = entry.parts.map((part) => ({ part, found: countFiles(join(dataDir, part.path), part) }));
    if (parts.some(({ part, found }) => found > 0 && part.isShared !== true)) {
      onDataset?.(entry);
      reports.push(await auditDataset(entry, parts));
    } else reports.push({ entry, state: 'absent', parts, problems: [], figures: null });
  }
  return reports;

  async function auditDataset(entry: CatalogueEntry, parts: readonly FoundPart[]): Promise<DatasetReport> {
    const problems = new ProblemList();
    const missing = parts.filter(({ part, found }) => found === 0 && part.isOptional === undefined);
    for (const { part } of missing) problems.add('missing file', join(dataDir, partPath(part)));
    let figures: AuditedFigures | null = null;
    try {
      const audit = auditOf(entry);
      // Annotations are useful without the pictures; the folders of label maps must be present.
      const canBeRead = missing.every(({ part }) => part.ending !== undefined && audit !== auditLabelMapSet);
      if (canBeRead || entry.kind === 'reason_seg') {
        figures = await audit({ dataDir, entry, isThorough, images, problems });
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.add('unreadable file', error.message);
    }
    const state = problems.list.length > 0 ? 'broken' : stateOf(entry, parts, figures);
    return { entry, state, parts, problems: problems.list, figures };
  }
}

/** Printed form: "ade20k/images/training/*.jpg". */
export function partPath({ path, ending }: Part): string {
  return ending === undefined ? path : `${path}/*${ending}`;
}

const auditInstructSet: Audit = async ({ dataDir, entry, problems, images: checker, isThorough }) => {
  const [file, folder] = entry.parts.map((part) => join(dataDir, part.path)) as [string, string];
  const expected = new Map<string, ExpectedImage>();
  let conversations = 0;
  const take = problems.guarded((place, index) => {
    conversations++;
    const source = `record [${index}] of ${file}`;
    const name = place.key('image').fileName();
    if (!expected.has(name)) expected.set(name, { path: join(folder, name), size: null, by: source });
    const sentences = sentencesOf(place);
    if (isThorough) turnsOf({ set: entry.title, source, sentences });
  });
  readRecords(entry.title, file, ADVICE, take);
  if (isThorough) await checker.check([...expected.values()], problems);
  return { splits: { train: { images: expected.size, conversations } }, images: expected.size };
};

const AUDITS: Readonly<Record<Exclude<DatasetKind, 'sem_seg'>, Audit>> = {
  refer_seg: auditReferSet,
  vqa: auditInstructSet,
  reason_seg: auditReasonSet,
};

function auditOf({ name, kind, parts }: CatalogueEntry): Audit {
  if (Object.hasOwn(QUESTION_SETS, name)) return auditQuestionSet;
  if (isListedName(name)) return auditListedMaps;
  if (kind !== 'sem_seg') return AUDITS[kind];
  return parts.some(({ ending }) => ending === '.png') ? auditLabelMapSet : auditAnnotatedSet;
}

function stateOf({ published }: CatalogueEntry, parts: readonly FoundPart[], figures: AuditedFigures | null) {
  const pairs = [
    ...parts
      .filter(({ part }) => part.isShared !== true && part.ending !== undefined)
      .map(({ part, found }) => [found, part.count]),
    ...Object.entries(published.splits).map(([split, { images }]) => [figures?.splits[split]?.images, images]),
  ];
  const known = pairs.filter(([, expected]) => expected !== undefined);
  if (known.some(([found = 0, expected = 0]) => found < expected)) return 'partial';
  return known.length > 0 ? 'complete' : 'sound';
}

/** Splits in the order of the files, then those that are published but absent. */
export function splitNames({ figures, entry }: DatasetReport): string[] {
  return [...new Set([...Object.keys(figures?.splits ?? {}), ...Object.keys(entry.published.splits)])];
}

/** All splits together; images of two splits count once. */
export function totalFigures({ figures }: DatasetReport): Figures {
  const total: Record<string, number> = {};
  for (const split of Object.values(figures?.splits ?? {})) {
    for (const [name, count] of Object.entries(split) as [string, number][]) total[name] = (total[name] ?? 0) + count;
  }
  return figures === null ? total : { ...total, images: figures.images };
}

/** Counts the files of each folder once, however many datasets share it. */
function rememberingCounts(): (path: string, part: Part) => number {
  const known = new Map<string, number>();
  return (path, { ending }) => {
    const key = `${path} ${ending ?? ''}`;
    const count =
      known.get(key) ??
      (ending === undefined
        ? Number(statSync(path, { throwIfNoEntry: false })?.isFile() ?? false)
        : filesBelow(path, ending));
    known.set(key, count);
    return count;
  };
}

/** SAIAPR TC-12 has its pictures in folders of their own. */
function filesBelow(folder: string, ending: string): number {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return 0;
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => !entry.isDirectory() && entry.name.endsWith(ending)).length;
}
