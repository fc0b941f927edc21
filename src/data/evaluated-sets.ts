/** The published sets that can be evaluated on, by the registry's names. */
import { UserError } from '../errors.js';
import { didYouMean } from '../nearest-name.js';
import { type Ade20kSplit, type MapillarySplit, openAde20k, openMapillary } from './sem-seg/ade20k.js';
import { DATASET_NAMES, openReferringSet, parseSetSpec, REFERRING_NAMES } from './dataset-registry.js';
import type { EvaluatedDataset } from './evaluated-dataset.js';
import type { ReferringExpression } from './refer/refer-dataset.js';
import { LabelMapEvaluation } from './sem-seg/label-maps.js';
import { type IgnoreOptions, ReasonEvaluation, type ReasonSegSplit } from './reason/reason-seg.js';

/** Other sets have a split to train on and none to measure on. */
export const EVALUATED_NAMES: readonly string[] = [...REFERRING_NAMES, 'reason_seg', 'ade20k', 'mapillary'];

/** The split that is measured where none is named. */
export function usualSplit(name: string): string {
  return { refzom: 'test', ade20k: 'validation', mapillary: 'validation' }[name] ?? 'val';
}

/** Whether the set's questions are about any number of expressions, and may be asked in other forms; 'own' is one's own. */
export function hasExpressions(name: string): boolean {
  return name === 'own' || REFERRING_NAMES.includes(name);
}

/**
 * @param options.asWritten referring expressions keep their dots
 * @throws UserError where there is no such set or split, the set is not to be evaluated on, or its files are missing or
 *   malformed
 */
export async function openEvaluatedSet(
  name: string,
  dataDir: string,
  split: string,
  options: IgnoreOptions & { readonly asWritten?: boolean },
): Promise<EvaluatedDataset> {
  if (!EVALUATED_NAMES.includes(name)) {
    const why = DATASET_NAMES.includes(name)
      ? 'is not a benchmark'
      : `is not known${didYouMean(name, EVALUATED_NAMES)}`;
    throw new UserError(`Evaluating: the data set ${name} ${why}; benchmarks are on ${EVALUATED_NAMES.join(', ')}.`);
  }
  // Tells what splits there are.
  parseSetSpec(`${name}:${split}`);
  if (hasExpressions(name)) {
    const referring = openReferringSet(name, dataDir, split);
    return options.asWritten === true ? withSentences(referring) : referring;
  }
  if (name === 'ade20k') return new LabelMapEvaluation(openAde20k(dataDir, split as Ade20kSplit));
  if (name === 'mapillary') return new LabelMapEvaluation(openMapillary(dataDir, split as MapillarySplit), null);
  return ReasonEvaluation.open(dataDir, split as ReasonSegSplit, options);
}

/** The expressions as the dataset has them, in lower case and without outer spaces (reference: LISA's ValDataset). */
function withSentences(dataset: EvaluatedDataset): EvaluatedDataset {
  const images = dataset.images.map((image) => ({
    ...image,
    expressions: image.expressions.map((expression): ReferringExpression => {
      const { text, sentence = text, annotationIds } = expression;
      return {
        text: sentence.trim().toLowerCase(),
        annotationIds,
        get isEmpty() {
          return expression.isEmpty;
        },
      };
    }),
  }));
  return { images, targets: (image) => dataset.targets(image) };
}
