/** `gsva demo`: the whole way once: data, training, evaluation before and after, a report with pictures. */
import type { Options } from 'yargs';
import type { DemoRequest } from './demo-job.js';
import { startEngineFor } from './start-engine.js';
import { finiteNumber, text, wholeNumber } from './values.js';
import { defineVerb } from './verb.js';

const OPTIONS = {
  minutes: {
    describe: 'Time to train',
    requiresArg: true,
    default: 10,
    coerce: finiteNumber('minutes', { min: 0.1, max: 10_080 }),
  },
  out: {
    describe: 'Folder for data, checkpoints and report',
    type: 'string',
    requiresArg: true,
    default: 'runs/demo',
    coerce: text('out'),
  },
  seed: {
    describe: 'Of the data and of the training',
    requiresArg: true,
    default: 1,
    coerce: wholeNumber('seed', { min: 0, max: 2 ** 32 - 1 }),
  },
} satisfies Record<string, Options>;

export const demoVerb = defineVerb({
  path: ['demo'],
  describe: 'Make data, train a small model on it, evaluate it and write a report',
  positionals: {},
  options: OPTIONS,
  examples: [
    ['gsva demo', 'ten minutes of training, report in runs/demo'],
    ['gsva demo --minutes 2 --out /tmp/demo', 'a short one'],
  ],
  async run(args, context) {
    const request: DemoRequest = { minutes: args.minutes, out: args.out, seed: args.seed };
    const engine = await startEngineFor(args, context);
    const { runDemo } = await import('./demo-job.js');
    return runDemo(request, context, engine);
  },
});
