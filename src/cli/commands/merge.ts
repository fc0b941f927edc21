/** `gsva merge`: a model without LoRA, which is added to the weights. */
import { defineCommand } from '../command.js';
import { MODEL_OPTIONS } from '../options/model.js';
import { requiredModel, showWritten, WRITE_OPTIONS, writing } from '../options/writing.js';

export const command = defineCommand({
  options: { ...MODEL_OPTIONS, ...WRITE_OPTIONS },
  examples: [['gsva merge --model gsva-7b --out gsva-7b-merged', 'the same answers, no adapter']],
  async run(args, context) {
    const source = requiredModel(args);
    const { mergeAdapter } = await import('../../workflows/convert.js');
    const model = await mergeAdapter({ source, ...writing(args), ...context });
    context.output.line(`LoRA of rank ${model.rank} folded into ${model.merged} weights`);
    return showWritten(model, { merged: model.merged }, context);
  },
});
