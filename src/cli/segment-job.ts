/** The work behind `gsva segment`: from a checked request to results. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineInfo } from '../engine/engine.js';
import { panelPng, writePanelPng } from '../evaluation/report/panel.js';
import { writeDirectoryAtomic } from '../io/atomic-file.js';
import { readImage, writeMaskPng } from '../io/image-file.js';
import { loadPredictor } from '../inference/gsva-model.js';
import type { ModelSource } from '../inference/open-model.js';
import type { Reply } from '../inference/predictor.js';
import { UserError } from '../errors.js';
import type { Precision } from '../model/precision.js';
import type { RgbImage, SegmentResult } from '../types.js';
import type { Cell } from './output.js';
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
  if (request.out !== null) checkOut(request.out);
  const image = await readImage(request.image);
  const { predictor, packedBytes } = loadPredictor(request.model, request.precision, request.rejectThreshold);
  if (packedBytes > 0) context.note(packedNote(packedBytes));
  try {
    const startedAt = performance.now();
    const { mode } = request;
    const reply = await predictor.segment(
      image,
      request.expressions,
      mode === 'generate' ? { mode, signal } : { mode },
    );
    const seconds = (performance.now() - startedAt) / 1000;
    const written = request.out === null ? [] : await writeResults(request.out, image, reply);
    output.table(['expression', 'answer', 'pixels', 'box', 'score', 'P([REJ])'], reply.results.map(rowOf));
    output.line(reply.answer);
    for (const path of written) output.line(path);
    output.json({
      image: request.image,
      width: image.width,
      height: image.height,
      question: reply.question,
      answer: reply.answer,
      results: reply.results.map(({ mask: _mask, ...rest }) => rest),
      written,
      engine: engine.name,
      seconds,
    });
    return 0;
  } finally {
    predictor.dispose();
  }
}

function rowOf(result: SegmentResult): Cell[] {
  const { expression, status, area, box, score, rejectProbability } = result;
  const shown = status === 'segmented';
  return [
    expression,
    status,
    shown ? String(area) : '',
    box === null ? '' : box.join(' '),
    shown ? score.toFixed(2) : '',
    rejectProbability === null ? '' : rejectProbability.toFixed(2),
  ];
}

/** What a folder of results holds; one with anything else in it is somebody's own and is not replaced. */
const RESULT_FILE = /^(overlay|mask-\d{2,})\.png$/;

function checkOut(out: string): void {
  const found = statSync(out, { throwIfNoEntry: false });
  const isPicture = pictureForm('--out', out) !== null;
  if (found === undefined) return;
  if (isPicture && found.isDirectory())
    throw new UserError(`${out} is a folder; name a file or another folder as --out`);
  if (isPicture) return;
  if (!found.isDirectory())
    throw new UserError(`${out} is a file; --out takes a picture (NAME.png, .jpg, .webp) or a folder`);
  const other = readdirSync(out).find((name) => !RESULT_FILE.test(name));
  if (other === undefined) return;
  throw new UserError(
    `${out} holds ${other}, which is no result of segment; a folder of results is replaced as a whole, so name a new one`,
  );
}

/** A picture, or a folder with the picture and one mask per expression that was found. */
async function writeResults(out: string, image: RgbImage, { question, answer, results }: Reply): Promise<string[]> {
  const sample = { image, question, answer, results, targets: [] };
  const form = pictureForm('--out', out);
  if (form !== null) {
    await writePicture(out, form, await panelPng(sample));
    return [out];
  }
  const names = ['overlay.png'];
  await writeDirectoryAtomic(out, async (dir) => {
    await writePanelPng(join(dir, 'overlay.png'), sample);
    for (const [index, { mask }] of results.entries()) {
      if (mask === null) continue;
      const name = `mask-${String(index + 1).padStart(2, '0')}.png`;
      await writeMaskPng(join(dir, name), mask);
      names.push(name);
    }
  });
  return names.map((name) => join(out, name));
}
