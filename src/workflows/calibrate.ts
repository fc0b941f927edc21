/** The threshold of [REJ] that decides best, found from the records of an evaluation. */
import { storeRejectThreshold } from '../checkpoints/checkpoint-directory.js';
import { UserError } from '../errors.js';
import { calibrate as calibration, type Calibration } from '../evaluation/calibration.js';
import type { GresProtocol } from '../evaluation/metrics/gres-score.js';
import { recordsOf } from '../evaluation/records/record-figures.js';
import { readWholeRun } from '../evaluation/records/record-file.js';
import { calibrationProtocol } from '../evaluation/report/analysis-data.js';
import { checkKeys } from '../inference/segment-options.js';
import { weightsDigest } from '../inference/model-source.js';

/** Options of `calibrate`. */
export interface CalibrateOptions {
  /** Records of a whole run with decisions on present and absent targets, best of val. */
  readonly records: string;
  /** Folder of the model that was measured: the threshold is kept in its meta.json, and used from then on. */
  readonly store?: string;
}

/** Result of `calibrate`. */
export interface CalibrateResult extends Calibration {
  /** Protocol and split of the records. */
  readonly protocol: GresProtocol;
  readonly split: string;
}

/**
 * Finds the threshold of [REJ] with the highest mean of N-acc and T-acc, its curve and the area under it.
 *
 *     const { best } = calibrate({ records: 'runs/val.jsonl', store: 'runs/tiny/best' });
 *
 * @throws UserError for records that decide nothing, and where the threshold must not be stored
 */
export function calibrate(options: CalibrateOptions): CalibrateResult {
  checkKeys('Calibrating', options, ['records', 'store']);
  const { records, store } = options;
  const { header, images } = readWholeRun(records);
  const protocol = calibrationProtocol(header.protocols);
  const found = calibration(recordsOf(images, protocol));
  if (found === null) {
    throw new UserError(
      `Calibrating: ${records} has no decisions about both present and absent targets. Measure more images.`,
    );
  }
  if (store !== undefined) {
    // A threshold belongs to the weights it was found for, and must not be chosen on the images that are reported.
    if (header.split.startsWith('test')) {
      throw new UserError(
        `Calibrating: ${records} is of the split ${header.split}; a threshold that is chosen there makes its figures ` +
          'worthless. Use records of val.',
      );
    }
    if (weightsDigest(store) !== header.weightsDigest) {
      throw new UserError(
        `Calibrating: ${records} was measured with other weights than those of ${store}. Name that model's folder.`,
      );
    }
    storeRejectThreshold(store, found.best.threshold);
  }
  return { ...found, protocol, split: header.split };
}
