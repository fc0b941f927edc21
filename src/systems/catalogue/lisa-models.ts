/**
 * Published models of LISA: merged folders on the Hugging Face hub, which hold SAM and γ as well. Facts of the published
 * code's README, of its authors' answers, and of the paper.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cachedSnapshot } from '../../io/cache/hub-cache.js';
import { gsvaCommand } from '../../program.js';
import { CLIP_L14 } from './pieces.js';

/** gIoU and cIoU in percent. */
type Pair = readonly [gIoU: number, cIoU: number];

const BASES = { '7B': 'LLaVA-Lightning-7B-v1-1', '13B-llama2': 'llava-llama-2-13b-chat-lightning-preview' } as const;
/** On ReasonSeg, as the README gives them. */
const V0_FIGURES: Readonly<Partial<Record<'val' | 'test short' | 'test long' | 'test', Pair>>> = {
  val: [60.0, 67.8],
  'test short': [43.9, 45.8],
  'test long': [54.0, 53.8],
  test: [51.5, 51.3],
};

export type LisaModel = Readonly<ReturnType<typeof lisa>>;

function lisa(size: keyof typeof BASES, version: 'v0' | 'v1', explains: boolean) {
  const name = `LISA-${size}-${version}${explains ? '-explanatory' : ''}`;
  const isFirst = version === 'v0';
  return {
    name,
    hub: `xinlai/${name}`,
    base: BASES[size],
    /** Commit of the published code that reads it; null: the current one. */
    code: isFirst ? '0e26916' : null,
    /** Variant that was trained with explanations as well. */
    explains,
    figures: isFirst && !explains ? V0_FIGURES : {},
    note: isFirst
      ? 'the layout of the first release'
      : 'trained on train and val of ReasonSeg: its figures on val mean nothing',
  };
}

export const LISA_MODELS: readonly LisaModel[] = [
  lisa('7B', 'v1', false),
  lisa('7B', 'v1', true),
  lisa('13B-llama2', 'v0', false),
  lisa('13B-llama2', 'v0', true),
  lisa('13B-llama2', 'v1', false),
  lisa('13B-llama2', 'v1', true),
];

/** Folder of the model on this machine; null where it is missing. */
export function lisaFolder({ name, hub }: LisaModel, dir: string): string | null {
  const own = join(dir, name);
  return existsSync(own) ? own : cachedSnapshot(hub, process.env);
}

/** Lines that get, convert, ask and measure it. @param dir folder of the published files */
export function lisaCommands({ name, hub }: LisaModel, dir: string): readonly string[] {
  const [published, clip, own] = [join(dir, name), join(dir, CLIP_L14.place), join(dir, `${name}-converted`)];
  return [
    `hf download ${hub} --local-dir ${published}`,
    `hf download ${CLIP_L14.hub ?? ''} ${(CLIP_L14.files ?? []).join(' ')} --local-dir ${clip}`,
    gsvaCommand(`convert --mllm ${published} --vision-tower ${clip} --out ${own}`),
    gsvaCommand(`segment --model ${own} --image photo.jpg --expressions "the red cup" --out found/`),
    gsvaCommand(
      `eval --model ${own} --batch 1 --data data --dataset reason_seg --split test --records runs/${name}.jsonl`,
    ),
  ];
}
