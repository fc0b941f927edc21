/** Makes the sample of a request of any kind. */
import type { Random } from '../../random.js';
import { makeReasonSample } from '../reason/reason-seg.js';
import { makeReferSample } from '../refer/refer-dataset.js';
import { makeSemSegSample } from '../sem-seg/sem-seg-sample.js';
import type { DatasetKind } from '../facts.js';
import type { MakeSample, RequestOf, SampleOptions, TrainingSample } from './training-sample.js';
import { makeVqaSample } from '../vqa/llava-instruct.js';

/** How samples are made, by kind. A maker is only ever given requests of its own kind. */
export type SampleMakers = Readonly<Partial<Record<DatasetKind, MakeSample<never>>>>;

export const SAMPLE_MAKERS: SampleMakers = {
  sem_seg: makeSemSegSample,
  refer_seg: makeReferSample,
  vqa: makeVqaSample,
  reason_seg: makeReasonSample,
};

export function makeSample(
  request: RequestOf<DatasetKind>,
  random: Random,
  options: SampleOptions,
  makers: SampleMakers = SAMPLE_MAKERS,
): Promise<TrainingSample | null> {
  const make = makers[request.kind];
  if (make === undefined) throw new Error(`makeSample: nothing makes samples of the kind ${request.kind}`);
  return make(request as never, random, options);
}
