/** The images of a referring dataset, to train on. */
import type { ReferDataset } from './refer-dataset.js';
import type { ReferRequest } from './refer-sample.js';
import type { TrainingSet } from '../sampling/training-sample.js';

/** @param name of the set, as in the mixture: "refcoco+" */
export function referTrainingSet(name: string, dataset: ReferDataset): TrainingSet<ReferRequest> {
  return {
    name,
    kind: 'refer_seg',
    length: dataset.images.length,
    requestAt: (index) => {
      const image = dataset.images[index];
      if (image === undefined) throw new RangeError(`${name}: no image ${index} in ${dataset.images.length}`);
      return dataset.request(name, image);
    },
  };
}
