/** What `gsva train --tensorboard` writes: the run's curves, and pictures of a few samples at every validation. */
import { panelPng } from '../evaluation/report/panel.js';
import type { ReportSample } from '../evaluation/report/report-data.js';
import type { ValidationRecord } from '../training/watching/run-log.js';
import { TensorBoardLog } from '../training/watching/tensorboard-log.js';

export class TensorBoardRun extends TensorBoardLog {
  private pictures: ReadonlyMap<string, Buffer> = new Map();

  /** Draws samples of a validation whose record is still to come. */
  async draw(samples: readonly ReportSample[]): Promise<void> {
    const pngs = await Promise.all(samples.map((sample) => panelPng(sample)));
    this.pictures = new Map(pngs.map((png, index) => [String(index + 1), png]));
  }

  override onValidation(record: ValidationRecord): void {
    super.onValidation(record);
    this.addPictures(record.update, this.pictures);
  }
}
