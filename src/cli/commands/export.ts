/** `gsva export`: the files that the published code loads. */
import { defineCommand } from '../command.js';
import { MODEL_OPTIONS } from '../options/model.js';
import { option, withDefault } from '../options/option.js';
import { oneOf, someOf } from '../options/values.js';
import { requiredModel, showWritten, WRITE_OPTIONS, writing } from '../options/writing.js';

const PARTS = ['mllm', 'vision-tower', 'sam', 'weights'] as const;

export const command = defineCommand({
  options: {
    ...MODEL_OPTIONS,
    ...WRITE_OPTIONS,
    format: option(
      'llava/ and clip/ as pytorch_model.bin (pytorch) or model.safetensors (hf); lisa: lisa/ and clip/ as LISA is ' +
        'published, LoRA folded in (default: pytorch; lisa for a model of LISA)',
      oneOf(['pytorch', 'hf', 'lisa'] as const),
    ),
    parts: withDefault('Parts to write', someOf(PARTS), [...PARTS], 'all'),
  },
  examples: [
    ['gsva export --model runs/gsva/best --out published', 'all four'],
    ['gsva export --model runs/gsva/best --parts weights --out published', 'what was trained: gsva.bin'],
    ['gsva export --model runs/lisa/best --out published', "LISA's folder, merged, and CLIP's"],
  ],
  async run(args, context) {
    const source = requiredModel(args);
    const { format, parts } = args;
    const { exportModel } = await import('../../workflows/convert.js');
    const model = await exportModel({
      source,
      ...(format === undefined ? {} : { format }),
      parts,
      ...writing(args),
      ...context,
    });
    return showWritten(model, { parts, format: model.format }, context);
  },
});
