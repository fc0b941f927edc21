/** Audit of ReasonSeg: an annotation for each picture, with valid shapes. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readReasonAnnotation } from '../reason/reason-seg.js';
import { readRecords } from '../annotation-files.js';
import type { Figures } from '../catalogue/entry.js';
import { ADVICE, type Audit, type ExpectedImage, type ProblemList } from './audit.js';

const SPLITS = ['train', 'val', 'test'] as const;
const LEAST_POINTS = 3;

export const auditReasonSet: Audit = async ({ dataDir, problems, images: checker, isThorough }) => {
  const root = join(dataDir, 'reason_seg', 'ReasonSeg');
  const splits: Record<string, Figures> = {};
  const splitOf = new Map<string, string>();
  for (const split of SPLITS) {
    const folder = join(root, split);
    if (!existsSync(folder)) continue;
    const names = new Set(readdirSync(folder));
    const pictures = [...names].filter((name) => name.endsWith('.jpg')).sort();
    let expressions = 0;
    const expected: ExpectedImage[] = [];
    for (const picture of pictures) {
      const annotation = join(folder, picture.replace(/\.jpg$/, '.json'));
      expected.push({ path: join(folder, picture), size: null, by: split });
      if (existsSync(annotation)) problems.guard(() => (expressions += textsOf(annotation, problems)));
      else problems.add('broken reference', `${annotation} is missing next to ${picture}`);
      const other = splitOf.get(picture);
      if (other !== undefined) problems.add('image in two splits', `${picture} is in ${other} and ${split}`);
      splitOf.set(picture, split);
    }
    for (const name of [...names].filter((file) => file.endsWith('.json')).sort()) {
      const picture = name.replace(/\.json$/, '.jpg');
      if (!names.has(picture)) problems.add('missing image', `${join(folder, picture)} (has an annotation)`);
    }
    splits[split] = { images: pictures.length, expressions };
    if (isThorough) await checker.check(expected, problems);
  }
  checkExplanations(join(root, 'explanatory', 'train.json'), splitOf, problems);
  return { splits, images: splitOf.size };
};

function textsOf(path: string, problems: ProblemList): number {
  const { texts, shapes } = readReasonAnnotation(path);
  for (const { points } of shapes) {
    if (points.length >= LEAST_POINTS) continue;
    problems.add('invalid mask', `${path}: a shape has ${points.length} points; expected ${LEAST_POINTS} or more`);
  }
  if (!shapes.some(({ role }) => role === 'target')) problems.add('invalid mask', `${path} has no shape of the target`);
  return texts.length;
}

function checkExplanations(path: string, splitOf: ReadonlyMap<string, string>, problems: ProblemList): void {
  if (!existsSync(path)) return;
  const take = problems.guarded((record, index) => {
    const picture = record.key('image').text();
    if (splitOf.get(picture) === 'train') return;
    problems.add('broken reference', `record [${index}] of ${path}: ${picture} is no picture of train`);
  });
  readRecords('ReasonSeg', path, ADVICE, take);
}
