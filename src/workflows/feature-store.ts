/** Features of the frozen encoders, kept on disk from run to run. */
import type { Responder } from '../evaluation/conversations.js';
import { encoderDigests, FeatureFiles } from '../features/feature-files.js';
import { FeatureStore, MOST_FEATURE_BYTES } from '../features/feature-store.js';
import { imageKey } from '../features/image-key.js';
import type { EncodedImage, EncodingModel } from '../features/image-features.js';
import type { Predictor } from '../inference/predictor.js';
import { bytesText } from '../machine.js';
import type { FeatureCacheOptions, Watch } from './watch.js';

/**
 * @param mostBytes of features in memory; 0 where images are used once
 * @returns the store, and a report that waits for the disk, then notes how many images were found
 * @throws UserError for an unusable folder
 */
export async function openFeatures(
  { dir, gigabytes = 100, dtype = 'f32' }: FeatureCacheOptions,
  model: EncodingModel,
  { onNote }: Watch,
  mostBytes = MOST_FEATURE_BYTES,
) {
  const files = await FeatureFiles.open(dir, {
    maxBytes: 1e9 * gigabytes,
    dtype: dtype === 'f32' ? 'F32' : 'BF16',
    encoders: await encoderDigests(model),
    onTrouble: (message) => onNote?.(message),
  });
  const features = new FeatureStore(imageKey, mostBytes, files);
  const report = async (): Promise<void> => {
    await features.flush();
    const { written, damaged, refused, failures, bytesRead, bytesWritten } = files.stats;
    const { onDisk, missing } = features.counts;
    const faults = Object.entries({ damaged, 'without room': refused, failed: failures });
    onNote?.(
      `feature cache ${dir}: ${onDisk} of ${onDisk + missing} images found (${bytesText(bytesRead)}), ` +
        `${written} entries written (${bytesText(bytesWritten)})` +
        faults.map(([what, count]) => (count === 0 ? '' : `, ${count} ${what}`)).join(''),
    );
  };
  return { features, report };
}

/** The predictor's answers to pictures that are encoded through a store of the same encoders. */
export function storedResponder(predictor: Predictor, features: FeatureStore): Responder<EncodedImage> {
  return {
    encode: (images) =>
      features.encodePictures(predictor.network, images, (image, encoders) => predictor.prepare(image, encoders)),
    force: (questions) => predictor.force(questions),
    generate: (question, options) => predictor.generate(question, options),
    refusal: (expressions, form) => predictor.refusal(expressions, form),
    asksAlone: (form) => predictor.asksAlone(form),
  };
}
