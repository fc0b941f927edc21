/** The frame of the command line: exit codes, one-line errors, help, colours, interruption. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { UsageError, UserError } from '../../src/errors.js';
import { type CommandContext, defineCommand } from '../../src/cli/command.js';
import { type CommandEntry, COMMANDS as ALL, GROUPS } from '../../src/cli/commands.js';
import { withDefault } from '../../src/cli/options/option.js';
import { wholeNumber } from '../../src/cli/options/values.js';
import { runCli } from '../helpers/run-cli.js';

/** The work of the test's command, exchanged by each test. */
let body: (args: unknown, context: CommandContext) => Promise<number>;

const probe: CommandEntry = {
  path: ['probe'],
  syntax: '',
  summary: 'A command for tests',
  load: async () =>
    defineCommand({
      positionals: {},
      options: { count: withDefault('A number', wholeNumber(1, 9), 1) },
      examples: {
        'gsva probe --count 3': 'three',
      },
      run: (args, context) => body(args, context),
    }),
};
const probeAt = (argv: string[], options: Parameters<typeof runCli>[1] = {}) =>
  runCli(['probe', ...argv], { ...options, commands: [probe] });

beforeEach(() => {
  body = () => Promise.resolve(0);
});

const COMMANDS = [['train'], ['eval'], ['segment'], ['verify'], ['data', 'synth'], ['demo']];

describe('help and version', () => {
  test.each(COMMANDS)('%s %s --help goes to stdout, with examples that name the command', async (...words) => {
    const path = words.filter((word) => typeof word === 'string');
    const { code, stdout, stderr } = await runCli([...path, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Examples:');
    expect(stdout).toContain(`  node bin/gsva.js ${path.join(' ')}`);
    for (const option of ['--engine', '--threads', '--json']) expect(stdout).toContain(option);
  });

  test('gsva --help lists every command', async () => {
    const { code, stdout } = await runCli(['--help']);
    expect(code).toBe(0);
    for (const { path } of ALL) expect(stdout).toMatch(new RegExp(`^  ${path[0] as string}(  | <| \\[)`, 'm'));
  });

  test.each([
    ['help', ['--help']],
    ['help segment', ['segment', '--help']],
    ['help data check', ['data', 'check', '--help']],
    ['help data', ['data', '--help']],
    ['segment help', ['segment', '--help']],
  ])('gsva %s is help', async (words, meant) => {
    const answer = await runCli(words.split(' '));
    expect(answer).toEqual(await runCli(meant));
    expect(answer.code).toBe(0);
    expect(answer.stdout).toContain('Options:');
  });

  test('the help of a group has sentences of its own, and lists its commands', async () => {
    const words = ALL.flatMap(({ path }) => path.slice(0, -1).map((_, i) => path.slice(0, i + 1).join(' ')));
    const groups = [...new Set(words)];
    expect(groups.sort()).toEqual(Object.keys(GROUPS).sort());
    for (const group of groups) {
      const { code, stdout } = await runCli([...group.split(' '), '--help']);
      expect(code).toBe(0);
      const text = GROUPS[group]?.text ?? '';
      expect(text).toMatch(/^[A-Z][^]*\.$/);
      expect(stdout.replace(/\s+/g, ' ')).toContain(text);
      if (ALL.some(({ path }) => path.join(' ') === group)) continue;
      expect(stdout).toMatch(/\n\nCommands:\n {2}/);
      expect(stdout).toMatch(/gsva\.js help <command> shows the options of a command/);
    }
  });

  test('every command has its file, with positional arguments as its line names them', async () => {
    for (const { path, syntax, load } of ALL) {
      const command = await load();
      const names = [...syntax.matchAll(/[<[](\w+)(?:\.\.)?[>\]]/g)].map(([, name]) => name);
      expect([path, Object.keys(command.positionals)]).toEqual([path, names]);
      const isRequired = Object.values(command.positionals).map((one) => one.isRequired);
      expect([path, isRequired]).toEqual([path, names.map((name) => syntax.includes(`<${name}`))]);
    }
  });

  test('a command that begins others lists them too', async () => {
    const { stdout } = await runCli(['convert', '--help']);
    expect(stdout).toContain('convert delta');
  });

  test('examples are commands that work where they are said', async () => {
    const { stdout } = await runCli(['train', '--help']);
    expect(stdout).toContain('\n  mpirun -np 8 node bin/gsva.js train ');
    expect(stdout).not.toMatch(/^ +gsva /m);
  });

  test('--version is the version of package.json alone', async () => {
    expect(await runCli(['--version'])).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });
  });
});

describe('wrong usage ends with 2 and one line on stderr', () => {
  test.each([
    ['nothing', [], 'say what to do'],
    ['a mistyped command', ['evl'], 'unknown command "evl" (did you mean "eval"?)'],
    ['the beginning of a command', ['seg', '--image', 'x'], 'unknown command "seg" (did you mean "segment"?)'],
    ['a mistyped command with --help', ['segmnt', '--help'], 'unknown command "segmnt" (did you mean "segment"?)'],
    ['help for a mistyped command', ['help', 'segmnt'], 'unknown command "segmnt" (did you mean "segment"?)'],
    ['a mistyped second word', ['data', 'sinth'], 'unknown command "data sinth" (did you mean "data synth"?)'],
    ['the same with --help', ['data', 'sinth', '--help'], 'unknown command "data sinth" (did you mean "data synth"?)'],
    ['a mistyped third word', ['data', 'import', 'cco'], '(did you mean "data import coco"?)'],
    ['a second word alone', ['chek', 'data'], 'unknown command "chek" (did you mean "data check"?)'],
    [
      'a mistyped word behind a command',
      ['convert', 'dleta'],
      'unexpected argument "dleta" (did you mean "convert delta"?)',
    ],
    [
      'half a command',
      ['data'],
      'say what to do: data import coco, data import labelme, data import voc, data import yolo',
    ],
    ['a mistyped option alone', ['--verison'], 'unknown option --verison (did you mean --version?)'],
    ['an option of one letter', ['-v'], 'unknown option -v'],
    ['the beginning of an option', ['segment', '--expr', 'x'], 'unknown option --expr (did you mean --expressions?)'],
    ['a mistyped option', ['eval', '--dtaa', 'x'], 'unknown option --dtaa (did you mean --data?)'],
    ['options in front of no command', ['--engine', 'wasm', '--json'], 'say what to do: train, eval'],
    ['an option that yargs would negate', ['demo', '--no-json'], 'unknown option --no-json'],
    ['a missing option', ['eval'], '--data is required'],
    ['a missing value', ['eval', '--data'], '--data needs a value'],
    ['an empty value', ['eval', '--data', ' '], '--data is empty'],
    ['an option given twice', ['eval', '--data', 'a', '--data', 'b'], '--data is given more than once'],
    ['an unknown split', ['eval', '--data', '.', '--split', 'vla'], '"vla" (did you mean "val"?)'],
    ['an unknown engine', ['demo', '--engine', 'wasn'], '(did you mean "wasm"?)'],
    ['a word where a number belongs', ['demo', '--minutes', 'ten'], '--minutes must be a number, not "ten"'],
    ['a number out of range', ['demo', '--minutes', '-1'], '--minutes must be from 0.1 to 10080, not -1'],
    ['a fraction where a whole number belongs', ['demo', '--seed', '1.5'], '--seed must be a whole number, not 1.5'],
    ['no threads', ['demo', '--threads', '0'], '--threads must be from 1 to 1024'],
    ['a stray word', ['demo', 'now'], 'unexpected argument "now"'],
    ['an empty expression', ['segment', '--image', 'x', '--expressions', 'red', ''], 'expression 2 is empty'],
    ['an override that is no pair', ['train', '--config', 'a', '--out', 'b', '--set', '=1'], '--set takes key=value'],
    ['verify without a folder', ['verify'], 'an argument is missing'],
  ])('%s', async (_, argv, message) => {
    const { code, stdout, stderr } = await runCli(argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^gsva[^\n]*; see node bin\/gsva\.js[^\n]*--help\n$/);
  });

  test('whatever is typed behind a command, there is an exit code and no stack trace', async () => {
    const word = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('--count', '--json', '--', '-1', '--count=3'));
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 6 }), async (words) => {
        const { code, stderr } = await probeAt(words);
        expect([0, 2]).toContain(code);
        expect(stderr).not.toMatch(/\n\s+at /);
        expect(stderr.trimEnd().split('\n')).toHaveLength(1);
      }),
      { seed: 1, numRuns: 200 },
    );
  });
});

describe('bad input ends with 1 and one line on stderr', () => {
  test.each([
    ['no dataset', ['eval', '--model', '.', '--data', '/none'], 'gsva eval: /none: no such folder'],
    ['no image', ['segment', '--image', '/none.png', '--expressions', 'red'], 'gsva segment: /none.png: no such file'],
    [
      'a folder as an image',
      ['segment', '--image', '.', '--expressions', 'red'],
      '. is a folder; --image takes a file',
    ],
    ['no configuration', ['train', '--config', '/none', '--out', 'x'], 'gsva train: /none: no such file'],
    ['a full folder', ['data', 'synth', '--out', 'test'], 'test is not empty'],
    ['no images', 'data synth --out /none/x --train 0 --val 0 --testA 0 --testB 0'.split(' '), 'nothing to write'],
  ])('%s', async (_, argv, message) => {
    const { code, stdout, stderr } = await runCli(argv);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});

describe('errors of a command', () => {
  test('UserError: its message in one line, exit code 1', async () => {
    body = () => Promise.reject(new UserError('model.json: key "dim" is missing;\n  add it'));
    expect(await probeAt([])).toMatchObject({
      code: 1,
      stderr: 'gsva probe: model.json: key "dim" is missing; add it\n',
    });
  });

  test('UsageError: exit code 2 and where to look', async () => {
    body = () => Promise.reject(new UsageError('--count and --json exclude each other'));
    expect(await probeAt([])).toMatchObject({
      code: 2,
      stderr: 'gsva probe: --count and --json exclude each other; see node bin/gsva.js probe --help\n',
    });
  });

  test('anything else: one line with a hint, the stack only under GSVA_DEBUG', async () => {
    body = () => Promise.reject(new TypeError('x is not a function'));
    const quiet = await probeAt([]);
    expect(quiet).toMatchObject({
      code: 1,
      stderr: 'gsva probe: unexpected error: x is not a function (GSVA_DEBUG=1 shows where)\n',
    });
    const loud = await probeAt([], { env: { GSVA_DEBUG: '1' } });
    expect(loud.code).toBe(1);
    expect(loud.stderr).toMatch(/TypeError: x is not a function\n\s+at /);
  });

  test('after Ctrl-C: 130, whether the command returns or throws', async () => {
    const signal = AbortSignal.abort();
    expect(await probeAt([], { signal })).toMatchObject({ code: 130, stderr: '' });
    body = (_, context) => {
      context.signal.throwIfAborted();
      return Promise.resolve(0);
    };
    expect(await probeAt([], { signal })).toMatchObject({ code: 130, stderr: 'gsva probe: stopped\n' });
  });
});

describe('arguments and context of a command', () => {
  test('its arguments, read, with defaults', async () => {
    const seen: unknown[] = [];
    body = (args) => {
      seen.push(args);
      return Promise.resolve(0);
    };
    await probeAt([]);
    await probeAt(['--count', '7', '--json', '--threads=2', '--engine', 'cpu']);
    expect(seen[0]).toMatchObject({ count: 1, json: false });
    expect(seen[1]).toMatchObject({ count: 7, json: true, threads: 2, engine: 'cpu' });
  });

  test('a table or JSON on stdout, never both; notes on stderr', async () => {
    body = (_, { output, onNote }) => {
      onNote('working');
      output.table(['name', 'n'], [['a', 1]]);
      output.json({ name: 'a', n: 1 });
      return Promise.resolve(0);
    };
    expect(await probeAt([])).toEqual({ code: 0, stdout: ' name   n\n a      1\n', stderr: 'working\n' });
    expect(await probeAt(['--json'])).toEqual({ code: 0, stdout: '{"name":"a","n":1}\n', stderr: 'working\n' });
  });

  test('colours on a terminal only, and not under NO_COLOR', async () => {
    body = (_, { output }) => {
      output.line(output.colors.green('ok'));
      return Promise.resolve(0);
    };
    expect((await probeAt([])).stdout).toBe('ok\n');
    expect((await probeAt([], { isTTY: true })).stdout).toBe('\u001b[32mok\u001b[39m\n');
    expect((await probeAt([], { isTTY: true, env: { NO_COLOR: '1' } })).stdout).toBe('ok\n');
    expect((await probeAt([], { isTTY: true, env: { TERM: 'dumb' } })).stdout).toBe('ok\n');
  });

  test('its exit code is the answer', async () => {
    body = () => Promise.resolve(1);
    expect((await probeAt([])).code).toBe(1);
  });
});
