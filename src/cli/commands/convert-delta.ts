/** `gsva convert delta`: LLaVA from LLaMA and its delta. */
import { defineCommand } from '../command.js';
import { required } from '../options/option.js';
import { TEXT } from '../options/values.js';
import { showWritten, WRITE_OPTIONS, writing } from '../options/writing.js';

export const command = defineCommand({
  options: {
    base: required("LLaMA's folder", TEXT),
    delta: required("The delta's folder: config.json, weights, tokenizer", TEXT),
    ...WRITE_OPTIONS,
  },
  examples: [['gsva convert delta --base llama-7b --delta LLaVA-7b-delta-v0 --out llava-7b', 'base + delta']],
  async run(args, context) {
    const { base, delta } = args;
    const { addLlavaDelta } = await import('../../workflows/convert.js');
    return showWritten(await addLlavaDelta({ base, delta, ...writing(args), ...context }), {}, context);
  },
});
