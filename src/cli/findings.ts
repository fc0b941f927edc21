/** Findings of a model as cells of a table and as JSON. */
import { type CocoRle, maskToRle } from '../data/masks/mask-exchange.js';
import { STATUS_MEANING } from '../inference/reply.js';
import type { Finding } from '../types.js';
import type { Cell } from './output.js';

/** Heads of the columns of `figuresOf`. */
export const FIGURES = ['answer', 'pixels', 'box', 'score', 'P([REJ])'] as const;

export function figuresOf({ status, area, box, score, rejectProbability }: Finding): Cell[] {
  const isDrawn = status === 'segmented' || status === 'empty-mask';
  return [
    status,
    isDrawn ? String(area) : '',
    box === null ? '' : box.join(' '),
    isDrawn ? score.toFixed(2) : '',
    rejectProbability === null ? '' : rejectProbability.toFixed(2),
  ];
}

export function meaningsOf(findings: readonly Finding[]): Readonly<Record<string, string>> {
  const found: readonly string[] = findings.map(({ status }) => status);
  return Object.fromEntries(Object.entries(STATUS_MEANING).filter(([status]) => found.includes(status)));
}

export function withRle<T extends Finding>({ mask, ...rest }: T): Omit<T, 'mask'> & { readonly mask: CocoRle | null } {
  return { ...rest, mask: mask === null ? null : maskToRle(mask) };
}
