/** The `data` of a training configuration that names published sets: mixed, or each image once in an epoch. */
import { type KindWeights, PUBLISHED_WEIGHTS } from '../../data/sampling/mixed-sampler.js';
import { DATASET_KINDS } from '../../data/facts.js';
import type { JsonReader } from '../../io/json/json-reader.js';

export interface SetsData {
  /** `mixture`: kinds drawn by weight; `epochs`: every image of the sets once in an epoch. */
  readonly kind: 'epochs' | 'mixture';
  /** Folder of the data sets. */
  readonly dir: string;
  /** Names of data/dataset-registry.ts. */
  readonly sets: readonly string[];
  /** Of the kinds of a mixture; those left out as published. */
  readonly weights: KindWeights;
  /** At most so many expressions or classes of an image in one conversation. */
  readonly expressionsPerSample: number;
  /** Semantic segmentation: so many absent classes are asked for too. */
  readonly absentClasses: number;
  /** Threads that load samples; null: one less than there are processors. */
  readonly workers: number | null;
  /** The run stops where more than this share of the samples is bad. */
  readonly maxBadShare: number;
  /** A split of a set with expressions to validate on while training, and how many of its images; null without. */
  readonly validation: {
    readonly set: string;
    readonly split: string;
    readonly images: number;
    /** So many of them are answered freely too; 0 for none. */
    readonly generateImages: number;
  } | null;
}

/** As the paper has it: none. */
const ABSENT_CLASSES = 0;
const MAX_BAD_SHARE = 0.01;

/** @throws UserError naming file and key */
export function readSetsData(data: JsonReader, kind: SetsData['kind']): SetsData {
  const optional = [
    'absentClasses',
    'workers',
    'maxBadShare',
    'validation',
    ...(kind === 'mixture' ? ['weights'] : []),
  ];
  data.onlyKeys(['kind', 'dir', 'sets', 'expressionsPerSample', ...optional]);
  const sets = data.key('sets').array();
  if (sets.length === 0) data.key('sets').fail('a list of at least one name');
  const validation = data.optional('validation')?.onlyKeys(['set', 'split', 'images', 'generateImages']) ?? null;
  return {
    kind,
    dir: data.key('dir').string(),
    sets: sets.map((name, i) => {
      const isTwice = sets.slice(0, i).some((other) => other.value === name.value);
      return isTwice ? name.fail('a name that is not in the list already') : name.string();
    }),
    weights: readWeights(kind === 'mixture' ? data.optional('weights') : null),
    expressionsPerSample: data.key('expressionsPerSample').integer({ min: 1 }),
    absentClasses: data.optional('absentClasses')?.integer({ min: 0 }) ?? ABSENT_CLASSES,
    workers: data.optional('workers')?.integer({ min: 0, max: 256 }) ?? null,
    maxBadShare: data.optional('maxBadShare')?.number({ min: 0, max: 1 }) ?? MAX_BAD_SHARE,
    validation:
      validation === null
        ? null
        : {
            set: validation.key('set').string(),
            split: validation.optional('split')?.string() ?? 'val',
            images: validation.key('images').integer({ min: 1 }),
            generateImages: readGenerateImages(validation),
          },
  };
}

/** Some thirty expressions: enough to see a model that has stopped to write [SEG] or [REJ]. */
const GENERATE_IMAGES = 4;

export function readGenerateImages(place: JsonReader): number {
  return place.optional('generateImages')?.integer({ min: 0 }) ?? GENERATE_IMAGES;
}

function readWeights(weights: JsonReader | null): KindWeights {
  if (weights === null) return PUBLISHED_WEIGHTS;
  weights.onlyKeys([...DATASET_KINDS]);
  const of = (kind: keyof KindWeights): number => {
    return weights.optional(kind)?.number({ min: 0 }) ?? PUBLISHED_WEIGHTS[kind];
  };
  return { sem_seg: of('sem_seg'), refer_seg: of('refer_seg'), vqa: of('vqa'), reason_seg: of('reason_seg') };
}
