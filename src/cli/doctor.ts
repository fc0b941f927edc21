/** `gsva doctor`: what this machine has, what computes on it, and what would make it better. */
import type { Options } from 'yargs';
import { inputPath, text } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  all: {
    describe: 'Wait for engines that are slow to start, and measure speeds on large products',
    type: 'boolean',
    default: false,
  },
  model: {
    describe: 'Folder of a model: can it be used here?',
    type: 'string',
    requiresArg: true,
    coerce: inputPath('model'),
  },
  config: {
    describe: 'A training configuration: can it be run here?',
    type: 'string',
    requiresArg: true,
    coerce: inputPath('config'),
  },
  data: {
    describe: "Folder of a dataset in gRefCOCO's layout: is it complete?",
    type: 'string',
    requiresArg: true,
    coerce: text('data'),
  },
} satisfies Record<string, Options>;

export const doctorVerb = defineVerb({
  path: ['doctor'],
  describe: 'Check this machine: what works, what does not, and how to fix it',
  positionals: {},
  options: OPTIONS,
  examples: [
    ['gsva doctor', 'Node, memory, every engine and its speed, in under ten seconds'],
    ['gsva doctor --all', 'the same, thoroughly'],
    ['gsva doctor --model checkpoints/tiny --data data/synth', 'whether these can be used here'],
    ['gsva doctor --config configs/tiny.json5 --json', 'for a program to read'],
    ['gsva doctor --engine tensorflow --device gpu', 'exit code 1 where there is no such thing'],
  ],
  async run(args, context) {
    const { runDoctor } = await import('./doctor-job.js');
    return runDoctor(args, context);
  },
});
