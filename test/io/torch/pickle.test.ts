/** The unpickler: Python's plain values of every protocol are read; names, calls and sizes that harm are refused. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { UserError } from '../../../src/errors.js';
import {
  PLAIN_GLOBALS,
  PickleGlobal,
  PickleOrderedDict,
  type PickleOptions,
  PickleTuple,
  type PickleValue,
  unpickle,
} from '../../../src/io/torch/pickle.js';
import { Random } from '../../../src/random.js';
import { fixture } from '../../helpers/fixtures.js';

const options: PickleOptions = { source: 'case.pkl', globals: PLAIN_GLOBALS };

/** A pickle as text in which \xHH is that byte. */
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const read = (text: string, more: Partial<PickleOptions> = {}): PickleValue =>
  unpickle(bytes(text), { ...options, ...more }).value;
const tuple = (...items: PickleValue[]): PickleTuple => new PickleTuple(items);

describe('plain values', () => {
  test.each([0, 1, 2, 3, 4, 5])('what Python writes with protocol %i', (protocol) => {
    const recorded = readFileSync(fixture('pickles', `plain-${protocol}.pkl`));
    const { value, end } = unpickle(recorded, options);
    expect(end).toBe(recorded.length);
    const found = value as Map<string, PickleValue>;
    const loop = found.get('loop') as PickleValue[];
    expect(loop[0]).toBe(loop);
    found.delete('loop');
    expect([...found]).toEqual([
      ['none', null],
      ['true', true],
      ['false', false],
      ['zero', 0],
      ['byte', 255],
      ['short', 65535],
      ['negative', -1],
      ['int', -(2 ** 31)],
      ['beyond', 2n ** 53n + 1n],
      ['long', -(2n ** 200n)],
      ['float', -0.1],
      ['infinite', Infinity],
      ['text', 'Ünïcode ☃ 🎈\n'],
      ['bytes', Uint8Array.of(0, 255)],
      ['list', [1, [2]]],
      ['empty', []],
      ['tuples', tuple(tuple(), tuple(1), tuple(1, 2), tuple(1, 2, 3, 4))],
      ['set', new Set([1])],
      ['frozen', new Set(['a'])],
      ['ordered', new PickleOrderedDict([['a', 1]])],
      [
        'shared',
        [
          [1, 2],
          [1, 2],
        ],
      ],
      ['__proto__', 5],
      ['long text', 'x'.repeat(300)],
      ['long bytes', new Uint8Array(300).fill(121)],
    ]);
    const [one, other] = found.get('shared') as PickleValue[];
    expect(one).toBe(other);
    expect(({} as Record<string, unknown>)['5']).toBeUndefined();
  });

  test('annotations that Python 2 wrote, protocols 0 and 2', () => {
    const folder = ['datasets', 'data', 'refer_seg'];
    const files = [
      ['refcoco', 'refs(unc).p'],
      ['refcoco+', 'refs(unc).p'],
      ['refcocog', 'refs(umd).p'],
      ['refclef', 'refs(unc).p'],
      ['refzom', 'Ref_ZOM.p'],
    ];
    const protocols = files.map((file) => {
      const recorded = readFileSync(fixture(...folder, ...file));
      const refs = unpickle(recorded, options).value as Map<string, PickleValue>[];
      expect(refs.length).toBeGreaterThan(10);
      const sentences = refs[0]?.get('sentences') as Map<string, PickleValue>[];
      expect(typeof sentences[0]?.get('sent')).toBe('string');
      return recorded[0] === 0x80 ? recorded[1] : 0;
    });
    expect(new Set(protocols)).toEqual(new Set([0, 2, 4]));
  });

  test('texts of Python 2: quotes and escapes, in UTF-8', () => {
    expect(read(`S'it\\'s\\n\\x41\\101\\\\'\n.`)).toBe("it's\nAA\\");
    expect(read('S"a\'b"\n.')).toBe("a'b");
    expect(read('U\x02\xc3\xa9.')).toBe('é');
    expect(() => read('U\x01\xe9.')).toThrow('not valid UTF-8; where it comes from Python 2 it may be latin1');
    expect(read('V\\u2603 \\U0001f388\xe9\n.')).toBe('☃ 🎈é');
    expect(read("(lp0\nS'a'\np1\naI5\naI01\naL-7L\naF1.5e3\na.")).toEqual(['a', 5, true, -7, 1500]);
  });

  test('integers keep their value: numbers where exact, else bigint', () => {
    expect(read('\x8a\x00.')).toBe(0);
    expect(read('\x8a\x01\xff.')).toBe(-1);
    expect(read('\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.')).toBe(2n ** 63n - 1n);
    expect(read('\x8a\x07\xff\xff\xff\xff\xff\xff\x1f.')).toBe(2 ** 53 - 1);
    expect(read('\x8a\x07\x00\x00\x00\x00\x00\x00\xe0.')).toBe(-(2n ** 53n));
    expect(read('L123456789012345678901L\n.')).toBe(123456789012345678901n);
    expect(read('L-0L\n.')).toBe(0);
    expect(read('I+123456789012345\n.')).toBe(123456789012345);
    expect(read('I-9007199254740991\n.')).toBe(-(2 ** 53 - 1));
    expect(read(`\x8a\xff${'\0'.repeat(254)}\x01.`)).toBe(1n << 2032n);
  });

  test('what is remembered is found again by any number, set anew or out of order', () => {
    for (const [a, b, c] of ['012', '123', '102', '210', '971', '018']) {
      const list = `(lVa\np${a}\naVb\np${b}\naVc\np${c}\nag${a}\nag${b}\nag${c}\na`;
      expect(read(`${list}.`)).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
      expect(read(`${list}Vd\np${b}\nag${a}\nag${b}\nag${c}\na.`)).toEqual(Array.from('abcabcdadc'));
    }
    expect(() => read('(lVa\np1\nag0\n.')).toThrow(/refers to its value 0/);
  });

  test('several pickles one after the other: each begins where the one before ends', () => {
    const both = bytes('K\x01.K\x02.');
    const first = unpickle(both, options);
    expect(unpickle(both, { ...options, start: first.end })).toEqual({ value: 2, end: 6 });
  });

  test('persistent ids are handed to the caller', () => {
    const persistentLoad = (id: PickleValue): PickleValue => ['loaded', id];
    expect(read('Pname\n.', { persistentLoad })).toEqual(['loaded', 'name']);
    expect(read('K\x05Q.', { persistentLoad })).toEqual(['loaded', 5]);
    expect(() => read('K\x05Q.')).toThrow('an object outside of itself');
  });

  test('attributes of an OrderedDict are dropped, those of anything else refused', () => {
    expect(read('ccollections\nOrderedDict\n)R}U\x09_metadataNsb.')).toEqual(new PickleOrderedDict());
    expect(read('ccollections\nOrderedDict\n]]K\x01aK\x02aa\x85R.')).toEqual(new PickleOrderedDict([[1, 2]]));
    expect(() => read('}}b.')).toThrow('it gives a dict attributes (a dict), which is refused');
    expect(() => read('ccollections\nOrderedDict\n)RK\x01b.')).toThrow('attributes (a number)');
  });
});

describe('what harms is refused', () => {
  const harmful: [string, string, string][] = [
    ['a command', "cos\nsystem\n(S'rm -rf /'\ntR.", 'refuses os.system: only tensors and plain containers are read'],
    ['a command, protocol 4', '\x80\x04\x8c\x02os\x8c\x06system\x93.', 'refuses os.system'],
    ['a command by INST', "(S'rm'\nios\nsystem\n.", 'refuses os.system'],
    ['a command by OBJ', "(cos\nsystem\nS'rm'\no.", 'refuses os.system'],
    ['eval', 'cbuiltins\neval\n.', 'refuses builtins.eval'],
    ['an attribute of an allowed name', 'ccollections\nOrderedDict.__init__\n.', 'refuses'],
    ['a module with a space', 'cbuiltins set\n\n.', 'refuses'],
    ['the extension registry', '\x82\x01.', '0x82 is not an opcode of plain data'],
    ['a buffer from outside', '\x97.', '0x97 is not an opcode'],
    ['a call of a value', '})R.', 'it calls a dict, which cannot be called'],
    ['a call without a tuple', 'ccollections\nOrderedDict\n]R.', 'it calls with a list, expected a tuple'],
    ['named arguments', 'ccollections\nOrderedDict\n)}K\x01K\x02s\x92.', 'it calls with named arguments'],
    ['an OrderedDict of no pairs', 'ccollections\nOrderedDict\n]K\x01a\x85R.', 'made of what is no pair'],
  ];
  test.each(harmful)('%s', (_what, text, message) => {
    expect(() => read(text)).toThrow(message);
    expect(() => read(text)).toThrow(UserError);
  });

  const damaged: [string, string, string][] = [
    ['nothing', '', '1 bytes should follow but 0 are left'],
    ['a text longer than the file', 'X\xff\xff\xff\x7fabc.', '2147483647 bytes should follow but 4 are left'],
    ['bytes of 2^63', '\x8e\0\0\0\0\0\0\0\x80.', 'bytes should follow'],
    ['a frame that is too long', '\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xffN.', 'longer than what is left'],
    ['an integer of 2 GiB', '\x8b\xff\xff\xff\x7f.', 'an integer has 2147483647 bytes, at most 255'],
    ['an integer of a million digits', `I${'9'.repeat(1e6)}\n.`, 'has 1000000 digits'],
    ['a line without an end', 'I123', 'a line has no end'],
    ['an empty stack', '.', 'a value is missing on its stack'],
    ['a pop below a mark', 'N(s.', 'a value is missing on its stack'],
    ['no mark', 'Nt.', 'a mark is missing'],
    ['a memo entry that there is not', 'h\x07.', 'refers to its value 7, which there is not'],
    ['a negative memo index', 'Np-1\n.', 'memo index is out of range'],
    ['a key without a value', '}(Nu.', 'a key of a dict has no value'],
    ['appending to a dict', '}Na.', 'it appends to a dict, expected a list'],
    ['items of a list', ']NNs.', 'it sets items of a list, expected a dict'],
    ['adding to a list', '](N\x90.', 'it adds to a list, expected a set'],
    ['a number that is none', 'F0x10\n.', '"0x10" is not a number'],
    ['an integer that is none', 'I1_0\n.', '"1_0" is not an integer'],
    ['a text without quotes', 'Sabc\n.', 'a text has no quotes'],
    ['a character beyond Unicode', 'V\\Uffffffff\n.', 'beyond Unicode'],
    ['protocol 9', '\x80\x09N.', 'it has protocol 9'],
  ];
  test.each(damaged)('%s', (_what, text, message) => {
    expect(() => read(text)).toThrow(message);
    expect(() => read(text)).toThrow(/^Cannot read case\.pkl as a pickle: .* \(before byte \d+\)\.$/);
  });

  test('a memo index far away costs nothing', () => {
    expect(read('Nr\xff\xff\xff\xff0j\xff\xff\xff\xff.')).toBeNull();
  });

  test('millions of containers, marks or copies are refused before they fill the memory', () => {
    const limited = { memory: 2 ** 20 };
    expect(() => read(`${'}'.repeat(100_000)}.`, limited)).toThrow('more than the 1 MiB of memory that are allowed');
    expect(() => read(`]${'}a'.repeat(100_000)}.`, limited)).toThrow('of memory');
    expect(() => read(`(${'N'.repeat(100_000)}t.`, limited)).toThrow('of memory');
    expect(() => read(`${'('.repeat(200_000)}.`)).toThrow('nested more than');
    // One list of 1000 pairs, made into a dict again and again: 7 bytes for each copy.
    const pairs = `]q\x00(${']K\x01aK\x02a'.repeat(1000)}e0`;
    const copies = `ccollections\nOrderedDict\nq\x010${'h\x01h\x00\x85R0'.repeat(1000)}N.`;
    expect(() => read(pairs + copies, { memory: 16 * 2 ** 20 })).toThrow('of memory');
  });

  test('what is nested deeply is read without recursion', () => {
    let value = read(`${']'.repeat(50_000)}${'a'.repeat(49_999)}.`);
    let depth = 0;
    while (Array.isArray(value)) {
      depth++;
      value = value[0] ?? null;
    }
    expect(depth).toBe(50_000);
  });

  test('random opcodes give a value or a UserError', () => {
    const random = new Random(11);
    const globals = new Map([...PLAIN_GLOBALS, ['os system', new PickleGlobal('os system', null)]]);
    const alphabet = bytes(
      'N()]}.0(12abdeghijlopqrstuIJKLMFGSTUVXBC\x80\x81\x85\x86\x87\x88\x8a\x8c\x8f\x90\x91\x93\x94',
    );
    let values = 0;
    for (let run = 0; run < 20_000; run++) {
      const length = 1 + random.integer(12);
      const pickle = Uint8Array.from({ length }, () =>
        random.integer(3) === 0 ? random.integer(8) : (alphabet[random.integer(alphabet.length)] as number),
      );
      try {
        unpickle(pickle, { source: 'random', globals });
        values++;
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
      }
    }
    expect(values).toBeGreaterThan(10);
  });
});
