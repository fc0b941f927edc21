/**
 * The digests of .ci/pin: `node .ci/pin.mjs WORK KIND NAME PATH` brings what is at PATH into lines of text that hold all of
 * it but what differs from run to run, writes them to WORK/NAME.lines and prints `NAME sha256` of them.
 */
import { Buffer } from 'node:buffer';
import console from 'node:console';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Keys of logs, records and answers that change with the clock, the machine or the place of files, or are only wording. */
const LEFT_OUT = new Set([
  ...['seconds', 'elapsedSeconds', 'samplesPerSecond', 'numTensors', 'date', 'version'],
  ...['engine', 'model', 'image', 'written', 'statuses'],
]);

/** One line of JSON without LEFT_OUT, keys in order, numbers with all their digits. */
function line(value) {
  return JSON.stringify(value, (key, part) => {
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part;
    const kept = Object.entries(part).filter(([name]) => !LEFT_OUT.has(name));
    return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** The tensors of a safetensors file by name; whatever else its header holds is left out. */
function tensors(path) {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(Buffer.from(bytes.subarray(8, start)).toString());
  delete header.__metadata__;
  return Object.keys(header)
    .sort()
    .map((name) => {
      const { dtype, shape, data_offsets: offsets } = header[name];
      const content = bytes.subarray(start + offsets[0], start + offsets[1]);
      return `${name} ${dtype} [${shape.join(', ')}] ${sha256(content)}`;
    });
}

/** The lines of a run's log, or of records, but for the header. */
function log(path) {
  const rows = readFileSync(path, 'utf8').trim().split('\n').slice(1);
  return rows.map((row) => line(JSON.parse(row)));
}

/** The files of a folder with the digests of their bytes. */
function tree(path) {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const inside = files.map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1));
  return inside.sort().map((file) => `${file} ${sha256(readFileSync(join(path, file)))}`);
}

const [work, kind, name, path] = process.argv.slice(2);
const print = (title, lines) => {
  if (lines.length === 0) throw new Error(`pin: nothing to digest for ${title} in ${path}`);
  const text = `${lines.join('\n')}\n`;
  writeFileSync(join(work, `${title}.lines`), text);
  console.log(`${title} ${sha256(text)}`);
};

if (kind === 'weights') print(name, tensors(path));
if (kind === 'log') print(name, log(path));
if (kind === 'json') print(name, [line(JSON.parse(readFileSync(path, 'utf8')))]);
if (kind === 'tree') print(name, tree(path));
if (kind === 'verify') {
  for (const { kind: recording, items } of JSON.parse(readFileSync(path, 'utf8')).recordings) {
    const computed = items.filter(({ item }) => item !== 'files unaltered');
    print(
      `${name}.${recording}.errors`,
      computed.map(({ largestError }) => String(largestError)),
    );
    print(
      `${name}.${recording}.texts`,
      computed.map(({ item, detail }) => `${item}: ${detail}`),
    );
  }
}
