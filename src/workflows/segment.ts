/** Expressions segmented in one picture, with the files that show the answer, as `gsva segment` does it. */
import type { Precision } from '../checkpoints/precision.js';
import type { EngineInfo, EngineOptions } from '../engine/engine.js';
import { UserError } from '../errors.js';
import { loadPredictor, untrainedText } from '../inference/open-model.js';
import { type ModelSource, packagedSource } from '../inference/model-source.js';
import type { Reply } from '../inference/reply.js';
import { readImage } from '../io/image/image-file.js';
import { startNoted } from './engine.js';
import { packedNote } from './packed-note.js';
import { checkOut, type SegmentOut, writeResults } from './segment-files.js';
import type { Watch } from './watch.js';

export interface SegmentFileOptions extends Watch {
  /** The picture's file. */
  readonly image: string;
  readonly expressions: readonly string[];
  readonly model?: ModelSource;
  readonly precision?: Precision;
  readonly rejectThreshold?: number;
  /** Files to write; default: none. */
  readonly out?: SegmentOut;
  /** 'ask': the answer's form is given and the model decides [SEG] or [REJ]; 'generate': it writes freely. */
  readonly mode: 'ask' | 'generate';
  readonly engine?: EngineOptions;
}

export interface SegmentedFile {
  readonly reply: Reply;
  readonly width: number;
  readonly height: number;
  readonly written: readonly string[];
  readonly seconds: number;
  readonly engine: EngineInfo;
}

export async function segmentFile(options: SegmentFileOptions): Promise<SegmentedFile> {
  const { image: path, expressions, out, mode, onNote, signal } = options;
  const engine = await startNoted(options.engine, options);
  if (out !== undefined) checkOut(out, path);
  const image = await readImage(path);
  const { predictor, meta, packedBytes } = await loadPredictor(
    packagedSource(options.model),
    options.precision,
    options.rejectThreshold,
  );
  if (packedBytes > 0) onNote?.(packedNote(packedBytes));
  try {
    const untrained = untrainedText(meta, predictor.model.name);
    if (untrained !== null) throw new UserError(`Segmenting: ${untrained}. Name a trained model as --model.`);
    const startedAt = performance.now();
    const reply = await predictor.segment(image, expressions, { mode, signal });
    const seconds = (performance.now() - startedAt) / 1000;
    const written = out === undefined ? [] : await writeResults(out, path, image, reply);
    if (out !== undefined && out.format !== 'png' && reply.unmatched.length > 0) {
      onNote?.(
        `${reply.unmatched.length} parts that match no expression are not in the files; --format png and --json have them`,
      );
    }
    return { reply, width: image.width, height: image.height, written, seconds, engine };
  } finally {
    predictor.dispose();
  }
}
