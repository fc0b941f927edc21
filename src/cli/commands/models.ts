/** `gsva models`: which models there are, what each needs, and what of it is on this machine. */
import { UsageError } from '../../errors.js';
import { defineCommand } from '../command.js';
import { option, type Reader } from '../options/option.js';
import { requireFolder, TEXT } from '../options/values.js';

const UNITS: Readonly<Record<string, number>> = {
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** '24GiB' → bytes. */
const MEMORY: Reader<number> = {
  form: 'text',
  read: (value) => {
    const match = /^(\d+(?:\.\d+)?)\s*([mgt]i?b)$/i.exec(String(value));
    const bytes = Number(match?.[1]) * (UNITS[match?.[2]?.toLowerCase() ?? ''] ?? NaN);
    if (bytes > 0) return bytes;
    throw new UsageError(
      `--memory takes a number and MB, GB, TB, MiB, GiB or TiB, such as 24GiB, not "${String(value)}"`,
    );
  },
};

export const command = defineCommand({
  positionals: { name: option('One model, with the commands to get and use it', TEXT) },
  options: {
    dir: option('Folder of the published files and of converted models (default: checkpoints)', TEXT),
    memory: option('Report what fits into this much, such as 24GiB (default: what this machine has available)', MEMORY),
  },
  examples: {
    'gsva models': 'the released models and those of this package',
    'gsva models --memory 24GiB': 'which of them another machine could hold',
    'gsva models gsva-7b-pt --dir checkpoints': 'one: files, memory, commands; exit code 1 where it is absent',
    'gsva models --json': 'for a program to read',
  },
  async run({ name, dir, memory }, context) {
    if (dir !== undefined) requireFolder('--dir', dir);
    const { showModels } = await import('../model-list.js');
    return showModels(name, dir ?? 'checkpoints', memory, context);
  },
});
