/** Expressions segmented in one picture, with the files that show the answer, as `gsva segment` does it. */
import { readImage } from '../io/image/image-file.js';
import { type AskOptions, loadTrained, startNoted } from './engine.js';
import { checkOut, type SegmentOut, writeResults } from './segment-files.js';

interface SegmentFileOptions extends AskOptions {
  readonly image: string;
  readonly expressions: readonly string[];
  readonly out?: SegmentOut;
  /** 'ask': the answer's form is given and the model decides [SEG] or [REJ]; 'generate': it writes freely. */
  readonly mode: 'ask' | 'generate';
}

export async function segmentFile(options: SegmentFileOptions) {
  const { image: path, expressions, out, mode, onNote, signal } = options;
  const engine = await startNoted(options.engine, options);
  if (out !== undefined) checkOut(out, path);
  const image = await readImage(path);
  const predictor = await loadTrained('Segmenting', options);
  try {
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
