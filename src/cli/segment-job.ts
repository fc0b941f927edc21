/** The work behind `gsva segment`: from a checked request to results. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineInfo } from '../engine/engine.js';
import { panelPng, writePanelPng } from '../evaluation/report/panel.js';
import { writeDirectoryAtomic } from '../io/atomic-file.js';
import { readImage, writeMaskPng } from '../io/image-file.js';
import { loadPredictor, untrainedText } from '../inference/load-predictor.js';
import type { ModelSource } from '../inference/open-model.js';
import { modelSentence, type Reply, STATUS_MEANING } from '../inference/reply.js';
import { UserError } from '../errors.js';
import type { Precision } from '../model/precision.js';
import type { Finding, RgbImage, SegmentStatus, UnmatchedPart } from '../types.js';
import type { Cell, Output } from './output.js';
import { packedNote } from './packed-note.js';
import { pictureForm, writePicture } from './picture-file.js';
import type { VerbContext } from './verb.js';

/** What `gsva segment` was asked for, checked. */
export interface SegmentRequest {
  readonly image: string;
  readonly expressions: readonly string[];
  readonly model: ModelSource;
  readonly precision: Precision;
  /** Instead of the model's own; null for that one, if it has one. */
  readonly rejectThreshold: number | null;
  /** Where to write the overlay (and the masks, when it is a folder); null to write nothing. */
  readonly out: string | null;
  /** 'ask': the answer's form is given and the model decides [SEG] or [REJ]; 'generate': it writes freely. */
  readonly mode: 'ask' | 'generate';
}

/** @returns the exit code */
export async function runSegment(request: SegmentRequest, context: VerbContext, engine: EngineInfo): Promise<number> {
  const { output, signal } = context;
  if (request.out !== null) checkOut(request.out, request.image);
  const image = await readImage(request.image);
  const { predictor, meta, packedBytes } = loadPredictor(request.model, request.precision, request.rejectThreshold);
  if (packedBytes > 0) context.note(packedNote(packedBytes));
  try {
    const untrained = untrainedText(meta, predictor.model.name);
    if (untrained !== null) throw new UserError(`Segmenting: ${untrained}. Name a trained model as --model.`);
    const startedAt = performance.now();
    const { mode } = request;
    const reply = await predictor.segment(image, request.expressions, { mode, signal });
    const seconds = (performance.now() - startedAt) / 1000;
    const written = request.out === null ? [] : await writeResults(request.out, image, reply);
    printReply(reply, output);
    for (const path of written) output.line(path);
    output.json({
      image: request.image,
      width: image.width,
      height: image.height,
      model: reply.model,
      question: reply.question,
      answer: reply.answer,
      results: reply.results.map(withoutMask),
      unmatched: reply.unmatched.map(withoutMask),
      statuses: meaningsOf(reply),
      written,
      engine: engine.name,
      seconds,
    });
    return 0;
  } finally {
    predictor.dispose();
  }
}

/** The table of the expressions, what its words mean, the raw answer, and what else is in it. */
function printReply(reply: Reply, output: Output): void {
  const { results, unmatched, answer, model } = reply;
  const figures = ['answer', 'pixels', 'box', 'score', 'P([REJ])'];
  output.table(
    ['expression', ...figures],
    results.map((result) => [result.expression, ...figuresOf(result)]),
  );
  if (unmatched.length > 0) {
    output.line();
    output.line('parts of the answer that match no expression:');
    output.table(
      ['text', ...figures],
      unmatched.map((part) => [textOf(part), ...figuresOf(part)]),
    );
  }
  output.line();
  for (const [status, meaning] of Object.entries(meaningsOf(reply))) output.line(`${status}: ${meaning}`);
  const limits = model.knows === null ? '' : '; about anything else in a picture its answers mean nothing';
  output.line(`model: ${modelSentence(model)}${limits}`);
  output.line();
  output.line(answer);
}

/** Of the statuses that occur. */
function meaningsOf({ results, unmatched }: Reply): Partial<Record<SegmentStatus, string>> {
  const found = new Set([...results, ...unmatched].map(({ status }) => status));
  return Object.fromEntries(
    (Object.keys(STATUS_MEANING) as SegmentStatus[])
      .filter((status) => found.has(status))
      .map((status) => [status, STATUS_MEANING[status]]),
  );
}

function textOf({ text, repeats }: UnmatchedPart): string {
  const written = JSON.stringify(text);
  return repeats === null ? written : `${written} (answered before: ${repeats})`;
}

function figuresOf({ status, area, box, score, rejectProbability }: Finding): Cell[] {
  const isDrawn = status === 'segmented' || status === 'empty-mask';
  return [
    status,
    isDrawn ? String(area) : '',
    box === null ? '' : box.join(' '),
    isDrawn ? score.toFixed(2) : '',
    rejectProbability === null ? '' : rejectProbability.toFixed(2),
  ];
}

function withoutMask<T extends Finding>({ mask: _mask, ...rest }: T): Omit<T, 'mask'> {
  return rest;
}

/** What a folder of results holds; one with anything else in it is somebody's own and is not replaced. */
const RESULT_FILE = /^(overlay|(mask|unmatched)-\d{2,})\.png$/;

function checkOut(out: string, image: string): void {
  const found = statSync(out, { throwIfNoEntry: false });
  const isPicture = pictureForm('--out', out) !== null;
  if (found === undefined) return;
  if (isPicture && found.isDirectory())
    throw new UserError(`${out} is a folder; name a file or another folder as --out`);
  const picture = statSync(image, { throwIfNoEntry: false });
  if (picture?.ino === found.ino && picture.dev === found.dev) {
    throw new UserError(`${out} is the picture that is asked about, and would be replaced; name another file as --out`);
  }
  if (isPicture) return;
  if (!found.isDirectory())
    throw new UserError(`${out} is a file; --out takes a picture (NAME.png, .jpg, .webp) or a folder`);
  const other = readdirSync(out).find((name) => !RESULT_FILE.test(name));
  if (other === undefined) return;
  throw new UserError(
    `${out} holds ${other}, which is no result of segment; a folder of results is replaced as a whole, so name a new one`,
  );
}

/** A picture, or a folder with the picture and a mask for each [SEG]: those of expressions, and those that match none. */
async function writeResults(
  out: string,
  image: RgbImage,
  { question, answer, results, unmatched }: Reply,
): Promise<string[]> {
  const shown = [...results, ...unmatched.map((part) => ({ ...part, expression: `not asked for: ${textOf(part)}` }))];
  const sample = { image, question, answer, results: shown, targets: [] };
  const form = pictureForm('--out', out);
  if (form !== null) {
    await writePicture(out, form, await panelPng(sample));
    return [out];
  }
  const names = ['overlay.png'];
  await writeDirectoryAtomic(out, async (dir) => {
    await writePanelPng(join(dir, 'overlay.png'), sample);
    for (const [kind, findings] of [['mask', results] as const, ['unmatched', unmatched] as const]) {
      for (const [index, { mask }] of findings.entries()) {
        if (mask === null) continue;
        const name = `${kind}-${String(index + 1).padStart(2, '0')}.png`;
        await writeMaskPng(join(dir, name), mask);
        names.push(name);
      }
    }
  });
  return names.map((name) => join(out, name));
}
