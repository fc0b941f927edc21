/** The paper's benchmarks: which figures each reports and how a mask is scored. */
import type { LogitRule } from '../../types.js';
import { UserError } from '../../errors.js';
import type { MaskRules } from '../../systems/system-info.js';
import { C_IOU, type Figure, G_IOU, N_ACC, PRECISION, RES_G_IOU, T_ACC } from '../figures.js';
import { CLASS_M_IOU, EMPTY_ACC, EMPTY_N_ACC, PRESENT_M_IOU, PRESENT_O_IOU, REPORTED_M_IOU } from '../figures.js';
import { LISA_BY_WORDING, LISA_C_IOU, LISA_G_IOU } from '../figures.js';

export const BENCHMARK_NAMES = [
  ...['gres', 'res', 'reason', 'ref-zom', 'sem-seg', 'lisa-res', 'lisa-reason'],
  ...['one-pass-gres', 'one-pass-res', 'one-pass-reason', 'one-pass-sem-seg'],
] as const;
export type BenchmarkName = (typeof BENCHMARK_NAMES)[number];

export interface Benchmark {
  readonly name: BenchmarkName;
  /** In the order of the paper's tables. */
  readonly figures: readonly Figure[];
  /** Which logits are inside of a mask. */
  readonly logitRule: LogitRule;
  /**
   * 'gres': a rejected absent target scores 1. 'masks': masks alone are compared, two empty ones score 1. 'drawn': the
   * same, on the mask behind [SEG] however small it is.
   */
  readonly scoring: 'gres' | 'masks' | 'drawn';
  /** Whether boxes around the masks are compared as well. */
  readonly boxes: boolean;
}

const AS_GRES = { logitRule: 'logit >= 0', scoring: 'gres', boxes: false } as const;
const AS_RES = { logitRule: 'logit > 0', scoring: 'masks', boxes: false } as const;

/** Generalized referring segmentation: gRefCOCO and data of one's own (Tables 1 and 6). */
export const GRES: Benchmark = { ...AS_GRES, name: 'gres', figures: [G_IOU, C_IOU, N_ACC, T_ACC] };
/** Classic referring segmentation and comprehension: RefCOCO, RefCOCO+, RefCOCOg, RefCLEF (Tables 2 and 3). */
export const RES: Benchmark = { ...AS_RES, name: 'res', figures: [C_IOU, RES_G_IOU, PRECISION, T_ACC], boxes: true };
/** Reasoning segmentation (Table 5). */
export const REASON: Benchmark = { ...AS_RES, name: 'reason', figures: [RES_G_IOU, C_IOU, T_ACC] };

/** Ref-ZOM (Table 8): `strict` gives the paper's oIoU, mIoU and Acc, `reference` what the published code prints. */
export const REF_ZOM: Benchmark = {
  ...AS_GRES,
  name: 'ref-zom',
  figures: [PRESENT_O_IOU, PRESENT_M_IOU, EMPTY_ACC, REPORTED_M_IOU, N_ACC, T_ACC],
};

/** Semantic segmentation of the classes that an image has: ADE20K (Table 9), PASCAL VOC and Context. */
export const SEM_SEG: Benchmark = { ...AS_RES, name: 'sem-seg', figures: [CLASS_M_IOU, C_IOU, T_ACC] };
/** Classic referring segmentation by LISA's validation, whose sentences keep their dots. */
export const LISA_RES: Benchmark = { ...AS_RES, name: 'lisa-res', figures: [LISA_G_IOU, LISA_C_IOU], scoring: 'drawn' };

/** Reasoning segmentation by LISA's validation; short and long queries apart, as in its paper's tables. */
export const LISA_REASON: Benchmark = {
  ...LISA_RES,
  name: 'lisa-reason',
  figures: [LISA_G_IOU, LISA_C_IOU, ...LISA_BY_WORDING],
};

/** Referring segmentation in one pass with a forced answer: figures of LISA's validation, gIoU and cIoU. */
export const ONE_PASS_RES: Benchmark = { ...LISA_RES, name: 'one-pass-res', figures: [LISA_C_IOU, LISA_G_IOU] };
/** The same where targets may be absent: an empty mask, which an empty prediction meets with an IoU of 1. */
export const ONE_PASS_GRES: Benchmark = {
  ...ONE_PASS_RES,
  name: 'one-pass-gres',
  figures: [LISA_G_IOU, LISA_C_IOU, EMPTY_N_ACC],
};
export const ONE_PASS_REASON: Benchmark = {
  ...ONE_PASS_RES,
  name: 'one-pass-reason',
  figures: [LISA_G_IOU, LISA_C_IOU],
};
/** Semantic segmentation with a vocabulary that was not trained: each class that an image has is asked for by its name. */
export const ONE_PASS_SEM_SEG: Benchmark = {
  ...ONE_PASS_RES,
  name: 'one-pass-sem-seg',
  figures: [CLASS_M_IOU, LISA_C_IOU],
};

const BENCHMARKS: readonly Benchmark[] = [
  ...[GRES, RES, REASON, REF_ZOM, SEM_SEG],
  ...[LISA_RES, LISA_REASON, ONE_PASS_GRES, ONE_PASS_RES, ONE_PASS_REASON, ONE_PASS_SEM_SEG],
];

/** Benchmarks that a system judges by rules of its own, by the published one. */
const BY_RULES: Readonly<Record<MaskRules, ReadonlyMap<Benchmark, Benchmark>>> = {
  gsva: new Map(),
  lisa: new Map([
    [RES, LISA_RES],
    [REASON, LISA_REASON],
  ]),
  'one-pass': new Map([
    [GRES, ONE_PASS_GRES],
    [RES, ONE_PASS_RES],
    [REASON, ONE_PASS_REASON],
    [SEM_SEG, ONE_PASS_SEM_SEG],
  ]),
};

/** Rules that a benchmark is judged by; of those that no system changes, GSVA's. */
export function rulesOf(name: BenchmarkName): MaskRules {
  const own = Object.entries(BY_RULES).find(([, changed]) => [...changed.values()].some((each) => each.name === name));
  return (own?.[0] as MaskRules | undefined) ?? 'gsva';
}

/** Whether expressions are asked for as the dataset has them, and not cleaned as GSVA does. */
export function isAskedAsWritten(name: BenchmarkName): boolean {
  return name === 'lisa-res' || name === 'one-pass-res' || name === 'one-pass-gres';
}

export function benchmarkNamed(name: BenchmarkName): Benchmark {
  return BENCHMARKS.find((benchmark) => benchmark.name === name) as Benchmark;
}

/** By the registry's name of the dataset; 'own' is data of one's own. */
const OF_DATASET: Readonly<Record<string, Benchmark>> = {
  grefcoco: GRES,
  own: GRES,
  refcoco: RES,
  'refcoco+': RES,
  refcocog: RES,
  'refcocog-google': RES,
  refclef: RES,
  refzom: REF_ZOM,
  reason_seg: REASON,
  ade20k: SEM_SEG,
  mapillary: SEM_SEG,
  voc20: SEM_SEG,
  voc21: SEM_SEG,
  pc59: SEM_SEG,
};

/** @throws UserError for a dataset that the paper does not evaluate on */
export function benchmarkOf(dataset: string, masks: MaskRules = 'gsva'): Benchmark {
  const found = Object.hasOwn(OF_DATASET, dataset) ? OF_DATASET[dataset] : undefined;
  if (found !== undefined) return BY_RULES[masks].get(found) ?? found;
  throw new UserError(
    `Evaluating: there is no benchmark on ${dataset}; there is one on ${Object.keys(OF_DATASET).join(', ')}.`,
  );
}
