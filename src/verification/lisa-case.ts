/**
 * The recording of LISA's whole model (lisa-tiny), read strictly. A batch is made of samples, each a picture with one
 * sequence a question; `offset` holds the places where the sequences of the samples begin.
 */
import { UserError } from '../errors.js';
import { MultimodalRows } from '../networks/multimodal-rows.js';
import { system } from '../systems/lisa/system.js';
import type { BinaryMask } from '../types.js';
import { type RecordedBatch, RecordedCase } from './model-case.js';

const BATCHES = ['batch_a', 'batch_b'] as const;

export interface LisaBatch extends RecordedBatch {
  /** Pictures of the samples. */
  readonly images: readonly number[];
  readonly offset: readonly number[];
}

export class LisaCase extends RecordedCase {
  constructor(dir: string) {
    super(dir, system, ['conversation', 'num_image_tokens']);
  }

  override batches(patches: number): LisaBatch[] {
    return BATCHES.map((name) => {
      const place = this.json.key(name);
      const images = place.key('images').numbers();
      const offset = place.key('offset').numbers();
      const rows = new MultimodalRows(this.tokenBatch(name === 'batch_a' ? '' : 'b.'), patches);
      if (offset.length !== images.length + 1 || offset.at(-1) !== rows.tokens.batch) {
        place.key('offset').fail(`${images.length + 1} numbers that end with ${rows.tokens.batch}`);
      }
      const samples = Array.from({ length: rows.tokens.batch }, (_, row) => {
        return images.findIndex((_, i) => row < (offset[i + 1] as number));
      });
      const pictures = samples.map((sample) => images[sample] as number);
      return { rows, images, offset, pictures, targets: this.targets(rows, samples, pictures) };
    });
  }

  override get microBatches(): number[] {
    const names = this.json.key('optimizer').key('micro_batches').array();
    return names.map((name) => BATCHES.indexOf(name.oneOf(BATCHES)));
  }

  /** A mask for each [SEG] of a sequence; pictures are recorded with the masks of all their [SEG]. */
  private targets(rows: MultimodalRows, samples: readonly number[], pictures: readonly number[]): LisaBatch['targets'] {
    const found = rows.statesBefore(this.vocabulary.found, 'supervised');
    const left = new Map<number, BinaryMask[]>();
    return pictures.map((picture, row) => {
      const sample = samples[row] as number;
      const count = found.filter((each) => each.row === row).length;
      if (count > 0 && !left.has(sample)) left.set(sample, this.targetMasks(picture));
      const masks = left.get(sample)?.splice(0, count) ?? [];
      if (masks.length < count)
        throw new UserError(`Verifying with ${this.tensors.path}: "gt_masks.${picture}" has too few.`);
      return { ...(this.sizes[picture] as LisaCase['sizes'][number]), masks, rejected: 0 };
    });
  }
}
