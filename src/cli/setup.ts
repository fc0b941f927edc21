/** `gsva setup tensorflow`: installs the engine tensorflow, or removes it. */
import type { Options } from 'yargs';
import { UsageError } from '../errors.js';
import { requireFile, requireFolder, text } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  gpu: { describe: 'With CUDA (about 6 GB); without: for the CPU (0.9 GB)', type: 'boolean', default: false },
  wheel: {
    describe: 'A wheel of TensorFlow that is there already, instead of downloading one',
    type: 'string',
    requiresArg: true,
    coerce: text('wheel'),
  },
  lib: {
    describe: "A folder with TensorFlow's libraries and headers, used where it is",
    type: 'string',
    requiresArg: true,
    coerce: text('lib'),
  },
  remove: { describe: 'Remove what was set up', type: 'boolean', default: false },
} satisfies Record<string, Options>;

export const setupTensorflowVerb = defineVerb({
  path: ['setup', 'tensorflow'],
  describe: 'Install the engine tensorflow: TensorFlow itself, on a CUDA GPU or the CPU',
  positionals: {},
  options: OPTIONS,
  examples: [
    ['gsva setup tensorflow', 'for the CPU; into .gsva/tensorflow, or where GSVA_TENSORFLOW says'],
    ['gsva setup tensorflow --gpu', 'with CUDA, for NVIDIA GPUs'],
    ['gsva setup tensorflow --lib ~/venv/lib/python3.12/site-packages/tensorflow', 'with a TensorFlow that is there'],
    ['gsva setup tensorflow --remove', 'undoes it'],
  ],
  async run(args, context) {
    const { gpu, wheel, lib, remove } = args;
    if (wheel !== undefined && lib !== undefined) throw new UsageError('--wheel and --lib exclude each other');
    if (remove && (gpu || wheel !== undefined || lib !== undefined)) throw new UsageError('--remove stands alone');
    if (wheel !== undefined) requireFile('--wheel', wheel);
    if (lib !== undefined) requireFolder('--lib', lib);
    const { removeEngine, setUpEngine } = await import('./setup-job.js');
    return remove ? removeEngine(context) : setUpEngine({ gpu, wheel: wheel ?? null, lib: lib ?? null }, context);
  },
});
