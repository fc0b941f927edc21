/** `gsva convert`: a model as one of our folders. */
import type { ConvertResult } from '../../workflows/convert.js';
import { defineCommand } from '../command.js';
import { MODEL_OPTIONS } from '../options/model.js';
import { requiredModel, showWritten, WRITE_OPTIONS, writing } from '../options/writing.js';
import type { Output } from '../output.js';

export const command = defineCommand({
  options: { ...MODEL_OPTIONS, ...WRITE_OPTIONS },
  examples: [
    [
      'gsva convert --mllm llava-7b --vision-tower clip-vit-large-patch14 --sam sam_vit_h_4b8939.pth --weights gsva-7b.bin --out gsva-7b',
      'the four files of the published code, put together',
    ],
    ['gsva convert --model gsva-7b --dtype bf16 --out gsva-7b-bf16', 'half the size'],
  ],
  async run(args, context) {
    const { onNote, onProgress, signal } = context;
    const source = requiredModel(args);
    const { convert } = await import('../../workflows/convert.js');
    const model = await convert({ source, ...writing(args), onNote, onProgress, signal });
    const { loaded, drawnLater, published } = model;
    if (published !== null) showParts(published, context.output);
    const parts = published === null ? {} : { parts: published.parts, grown: published.grown };
    return showWritten(model, { loaded, drawnLater, ...parts }, context);
  },
});

function showParts({ parts, grown }: NonNullable<ConvertResult['published']>, output: Output): void {
  output.table(
    ['part', 'files', 'tensors', 'replace others', 'not used'],
    parts.map(({ part, files, loaded, replaced, unused }) => {
      return [part, files.length, loaded, replaced.length, unused.length];
    }),
  );
  for (const { part, within } of parts) if (within !== null) output.line(` ${part}: the tensors of ${within}`);
  const reasons = new Map<string, number>();
  for (const { reason } of parts.flatMap(({ unused }) => unused)) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  for (const [reason, count] of reasons) output.line(` not used: ${count} × ${reason}`);
  for (const { name, from, to } of grown) {
    output.line(` ${name}: rows ${from} to ${to - 1} are new, for the added tokens`);
  }
}
