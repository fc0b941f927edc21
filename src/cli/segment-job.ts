/** The work behind `gsva segment`: from a checked request to results. */
import type { EngineInfo } from '../engine/engine.js';
import { type CocoRle, maskToRle } from '../data/masks/mask-exchange.js';
import { UserError } from '../errors.js';
import { readImage } from '../io/image/image-file.js';
import { loadPredictor, untrainedText } from '../inference/load-predictor.js';
import type { ModelSource } from '../inference/open-model.js';
import { modelSentence, type Reply, STATUS_MEANING } from '../inference/reply.js';
import type { Precision } from '../checkpoints/precision.js';
import type { Finding, SegmentStatus } from '../types.js';
import type { Cell, Output } from './output.js';
import { packedNote } from './packed-note.js';
import { type SegmentOut, checkOut, textOf, writeResults } from './segment-out.js';
import type { VerbContext } from './verb.js';

/** What `gsva segment` was asked for, checked. */
export interface SegmentRequest {
  readonly image: string;
  readonly expressions: readonly string[];
  readonly model: ModelSource;
  readonly precision: Precision;
  /** Instead of the model's own; null for that one, if it has one. */
  readonly rejectThreshold: number | null;
  /** Where to write what was found, and in which form; null to write nothing. */
  readonly out: SegmentOut | null;
  /** 'ask': the answer's form is given and the model decides [SEG] or [REJ]; 'generate': it writes freely. */
  readonly mode: 'ask' | 'generate';
}

/** @returns the exit code */
export async function runSegment(request: SegmentRequest, context: VerbContext, engine: EngineInfo): Promise<number> {
  const { output, signal } = context;
  if (request.out !== null) checkOut(request.out, request.image);
  const image = await readImage(request.image);
  const { predictor, meta, packedBytes } = await loadPredictor(
    request.model,
    request.precision,
    request.rejectThreshold,
  );
  if (packedBytes > 0) context.note(packedNote(packedBytes));
  try {
    const untrained = untrainedText(meta, predictor.model.name);
    if (untrained !== null) throw new UserError(`Segmenting: ${untrained}. Name a trained model as --model.`);
    const startedAt = performance.now();
    const { mode } = request;
    const reply = await predictor.segment(image, request.expressions, { mode, signal });
    const seconds = (performance.now() - startedAt) / 1000;
    const written = request.out === null ? [] : await writeResults(request.out, request.image, image, reply);
    if (request.out !== null && request.out.format !== 'png' && reply.unmatched.length > 0) {
      context.note(
        `${reply.unmatched.length} parts that match no expression are not in the files; --format png and --json have them`,
      );
    }
    printReply(reply, output);
    for (const path of written) output.line(path);
    output.json({
      image: request.image,
      width: image.width,
      height: image.height,
      model: reply.model,
      question: reply.question,
      answer: reply.answer,
      results: reply.results.map(withRle),
      unmatched: reply.unmatched.map(withRle),
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

/** The mask as COCO's run lengths, null where there is none. */
function withRle<T extends Finding>({ mask, ...rest }: T): Omit<T, 'mask'> & { readonly mask: CocoRle | null } {
  return { ...rest, mask: mask === null ? null : maskToRle(mask) };
}
