/**
 * Published models of SELF1E, and the InternVL3 that they are trained from. Facts of the published code's README, of the
 * published InternVL3 configurations and of the paper; what nobody says (which folders the authors' repository holds,
 * licences) is said to be unknown.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cachedSnapshot } from '../../io/cache/hub-cache.js';
import { gsvaCommand } from '../../program.js';

/** Both are linked from the README of the published code. */
export const SELF1E_RELEASE = {
  readme: 'https://github.com/ANDYZAQ/SELF1E',
  hub: 'UltraDoughnut/SELF1E',
  mirror: 'https://modelscope.cn/models/UltraDoughnut/SELF1E',
} as const;

/** The two sizes: numbers of the base, and of SELF1E with its adapters merged (computed from the sizes). */
export const SELF1E_BASES = {
  '2B': { name: 'InternVL3-2B', hub: 'OpenGVLab/InternVL3-2B', numbers: { base: 2_088_957_440, all: 2_117_293_568 } },
  '8B': { name: 'InternVL3-8B', hub: 'OpenGVLab/InternVL3-8B', numbers: { base: 7_944_373_760, all: 8_098_571_776 } },
} as const;

/** Figures in percent: cIoU on RefCOCO/+/g, gIoU and cIoU on ReasonSeg. */
export interface Self1eFigures {
  readonly cIoU: Readonly<Record<string, number>>;
  readonly reasonSeg: Readonly<Partial<Record<'val' | 'test', readonly [gIoU: number, cIoU: number]>>>;
}

const RES_SPLITS = [
  ...['refcoco val', 'refcoco testA', 'refcoco testB', 'refcoco+ val', 'refcoco+ testA', 'refcoco+ testB'],
  ...['refcocog val', 'refcocog test'],
];

function figures(cIoU: readonly number[], reasonSeg: Self1eFigures['reasonSeg'] = {}): Self1eFigures {
  return { cIoU: Object.fromEntries(RES_SPLITS.map((split, i) => [split, cIoU[i] as number])), reasonSeg };
}

export type Self1eModel = Readonly<ReturnType<typeof self1e>>;

function self1e(size: keyof typeof SELF1E_BASES, kind: 'base' | 'SEG', published: Self1eFigures) {
  return {
    name: kind === 'SEG' ? `SELF1E-SEG-${size}` : `SELF1E-${size}`,
    base: SELF1E_BASES[size],
    /** Repetition of the data: SEG-rates of the kinds sem_seg, refer_seg, reason_seg, vqa. */
    rates: kind === 'SEG' ? '6,20,6,1' : '1,1,1,1',
    figures: published,
  };
}

export const SELF1E_MODELS: readonly Self1eModel[] = [
  self1e(
    '2B',
    'base',
    figures([80.2, 82.1, 77.6, 74.6, 79.1, 69.2, 77.0, 77.8], { val: [59.4, 68.8], test: [57.3, 57.6] }),
  ),
  self1e('2B', 'SEG', figures([84.3, 85.4, 82.3, 78.9, 83.5, 75.1, 80.4, 81.0])),
  self1e(
    '8B',
    'base',
    figures([82.5, 83.8, 80.1, 77.6, 81.6, 73.7, 79.1, 79.8], { val: [65.9, 69.7], test: [65.7, 67.0] }),
  ),
  self1e('8B', 'SEG', figures([84.7, 86.2, 83.4, 80.2, 84.2, 77.0, 82.1, 82.8])),
];

/** Folder of the model on this machine; null where it is missing. Which of them the authors' repository is, nobody says. */
export function self1eFolder({ name }: Self1eModel, dir: string): string | null {
  const own = join(dir, name);
  return existsSync(own) ? own : null;
}

/** Folder of the base on this machine; null where it is missing. */
export function self1eBaseFolder({ base }: Self1eModel, dir: string): string | null {
  const own = join(dir, base.name);
  return existsSync(own) ? own : cachedSnapshot(base.hub, process.env);
}

/** Lines that get, ask, measure and convert it; those that begin with "#" are for people. @param dir of the files */
export function self1eCommands({ name, base }: Self1eModel, dir: string): readonly string[] {
  const [own, start] = [join(dir, name), join(dir, base.name)];
  return [
    `hf download ${SELF1E_RELEASE.hub} --local-dir ${join(dir, 'SELF1E')}`,
    `# which models it holds is not published: put the files of this one (config.json, weights, tokenizer) into ${own}`,
    gsvaCommand(`segment --model ${own} --image photo.jpg --expressions "the red cup" --out found/`),
    gsvaCommand(`eval --model ${own} --batch 1 --data data --dataset refcoco --split val --records runs/${name}.jsonl`),
    gsvaCommand(`convert --model ${own} --out ${own}-converted`),
    '# or train it:',
    `hf download ${base.hub} --local-dir ${start}`,
    gsvaCommand(`convert --model ${start} --out ${start}-start`),
  ];
}
