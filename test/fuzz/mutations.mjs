/** Ways to damage a checkpoint: bytes anywhere, numbers of the zip directory, opcodes of the pickle, names. */
import { Buffer } from 'node:buffer';

/** Sizes and offsets that overflow something. */
const HOSTILE = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xfffffffen,
  0xffffffffn,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const NAMES = [
  '../x',
  '/etc/passwd',
  'C:\\x',
  'a/../../data.pkl',
  '__proto__',
  'constructor',
  'x\0y',
  '',
  'archive/data.pkl',
  'archive/data/0',
];
const OPCODES = [
  ...Buffer.from('N()]}.0(12abcdeghijklopqrstuIJKLMFGSTUVXBCPQR', 'latin1'),
  ...Array.from({ length: 0x99 - 0x80 }, (_, i) => 0x80 + i),
];
const GLOBALS = [
  'os\nsystem',
  'builtins\neval',
  'torch\nFloatStorage',
  'torch._utils\n_rebuild_tensor_v2',
  'collections\nOrderedDict',
  '__builtin__\nset',
  '_codecs\nencode',
  'torch\nSize',
  '__main__\n__proto__',
];

const pick = (random, list) => list[random.integer(list.length)];

/** A random place, more often near one of the zip file's records. */
function place(random, bytes) {
  if (bytes.length === 0) return 0;
  if (random.integer(2) === 0) return random.integer(bytes.length);
  const record = bytes.indexOf('PK', random.integer(bytes.length));
  return Math.min(bytes.length - 1, (record < 0 ? 0 : record) + random.integer(64));
}

function writeHostile(random, bytes, at) {
  const value = pick(random, HOSTILE);
  const width = pick(random, [1, 2, 4, 8]);
  for (let i = 0; i < width && at + i < bytes.length; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 255n);
}

function insert(bytes, at, removed, added) {
  return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
}

/** A short run of opcodes with arguments, some of them sensible. */
function opcodes(random) {
  const parts = [];
  for (let i = random.integer(6); i >= 0; i--) {
    const kind = random.integer(10);
    if (kind === 0) parts.push(Buffer.from(`c${pick(random, GLOBALS)}\n`));
    else if (kind === 1) parts.push(Buffer.from(`X\x04\0\0\0${pick(random, ['data', 'mode', '__pr'])}`));
    else if (kind === 2)
      parts.push(Buffer.from([0x8a, 8, ...Buffer.from(random.uint32().toString(16).padStart(8, '0'))]));
    else if (kind === 3) parts.push(Buffer.from([0x68, random.integer(40)]));
    else {
      parts.push(Buffer.from([pick(random, OPCODES)]));
      if (random.integer(3) === 0) {
        const argument = Buffer.alloc(8);
        writeHostile(random, argument, 0);
        parts.push(argument.subarray(0, pick(random, [1, 4, 8])));
      }
    }
  }
  return Buffer.concat(parts);
}

/** A small number of the pickle (a size, a stride, an offset) becomes a large one, everything else stays. */
function enlarge(random, bytes, at) {
  const small = bytes.indexOf(0x4b, at); // BININT1
  if (small < 0) return bytes;
  const large = Buffer.from([0x8a, 8, 0, 0, 0, 0, 0, 0, 0, 0]); // LONG1
  large.writeBigInt64LE(random.integer(2) === 0 ? BigInt(random.integer(1 << 20)) : pick(random, HOSTILE) / 2n, 2);
  return insert(bytes, small, 2, large);
}

export function mutatePickle(random, pickle) {
  let bytes = Buffer.from(pickle);
  for (let i = random.integer(2) * random.integer(3); i >= 0; i--) {
    const at = random.integer(bytes.length + 1);
    const kind = random.integer(8);
    if (kind >= 6) bytes = enlarge(random, bytes, at);
    else if (kind === 0) bytes = insert(bytes, at, 0, opcodes(random));
    else if (kind === 1) bytes = insert(bytes, at, random.integer(8), opcodes(random));
    else if (kind === 2) bytes = insert(bytes, at, random.integer(20), Buffer.alloc(0));
    else if (kind === 3) writeHostile(random, bytes, at);
    else if (kind === 4 && at < bytes.length) bytes[at] = pick(random, OPCODES);
    else if (at < bytes.length) bytes[at] ^= 1 << random.integer(8);
  }
  return bytes;
}

/** Bytes of a file changed where they are, cut, or mixed with another file's. */
export function mutateBytes(random, original, other) {
  let bytes = Buffer.from(original);
  for (let i = random.integer(2) * random.integer(4); i >= 0; i--) {
    const at = place(random, bytes);
    const kind = random.integer(7);
    if (bytes.length === 0) return bytes;
    if (kind === 0) bytes = bytes.subarray(0, random.integer(bytes.length));
    else if (kind <= 2) bytes[at] ^= 1 << random.integer(8);
    else if (kind <= 4) writeHostile(random, bytes, at);
    else if (kind === 5) {
      const from = random.integer(other.length);
      other.copy(bytes, at, from, from + random.integer(200));
    } else bytes = insert(bytes, at, random.integer(40), opcodes(random));
  }
  return bytes;
}

/** Entries of a zip file that is well formed, by its central directory. */
export function zipEntries(bytes) {
  const entries = [];
  let at = bytes.readUInt32LE(bytes.length - 6);
  while (bytes.readUInt32LE(at) === 0x02014b50) {
    const [nameLength, extra, comment] = [28, 30, 32].map((field) => bytes.readUInt16LE(at + field));
    const start = bytes.readUInt32LE(at + 42);
    const data = start + 30 + bytes.readUInt16LE(start + 26) + bytes.readUInt16LE(start + 28);
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength);
    entries.push({ name, data: bytes.subarray(data, data + bytes.readUInt32LE(at + 24)) });
    at += 46 + nameLength + extra + comment;
  }
  return entries;
}

/** A zip file of stored entries; `change` may alter each of an entry's records before they are joined. */
export function zipOf(entries, change = () => {}) {
  const [files, directory] = [[], []];
  let offset = 0;
  for (const { name, data } of entries) {
    const nameBytes = Buffer.from(name);
    const [local, central] = [Buffer.alloc(30), Buffer.alloc(46)];
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(nameBytes.length, 26);
    central.writeUInt32LE(0x02014b50, 0);
    for (const [record, at] of [
      [local, 18],
      [central, 20],
    ]) {
      record.writeUInt32LE(data.length, at);
      record.writeUInt32LE(data.length, at + 4);
    }
    central.writeUInt16LE(nameBytes.length, 28);
    central.writeUInt32LE(offset, 42);
    change(local, central);
    files.push(local, nameBytes, data);
    directory.push(central, nameBytes);
    offset += 30 + nameBytes.length + data.length;
  }
  const end = Buffer.alloc(22);
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...files, ...directory, end]);
}

/** A zip file packed anew with one thing changed: the pickle, a record's number, a name, an entry. */
export function mutateZip(random, entries) {
  const changed = entries.map((entry) => ({ ...entry }));
  const chosen = random.integer(changed.length);
  const kind = random.integer(8);
  if (kind <= 4) {
    const pickle = changed.find(({ name }) => name.endsWith('data.pkl'));
    pickle.data = mutatePickle(random, pickle.data);
    return zipOf(changed);
  }
  if (kind === 5) changed[chosen].name = pick(random, NAMES);
  else if (kind === 6) changed.splice(chosen, random.integer(2), { ...pick(random, changed) });
  const victim = kind === 7 ? chosen : -1;
  let index = 0;
  return zipOf(changed, (local, central) => {
    if (index++ !== victim) return;
    const record = pick(random, [local, central]);
    writeHostile(random, record, random.integer(record.length));
  });
}
