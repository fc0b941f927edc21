/** `gsva data check`, `stats` and `show` from the command line, on the miniatures and on a damaged copy. */
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { CATALOGUE } from '../../src/data/catalogue/catalogue.js';
import { readImage } from '../../src/io/image/image-file.js';
import { fixture } from '../helpers/fixtures.js';
import { runCli } from '../helpers/run-cli.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-cli-data-sets-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

const DATA = join(fixture('datasets'), 'data');
const IMAGE = 'refer_seg/images/mscoco/images/train2014/COCO_train2014_000000000100.jpg';

interface Checked {
  pass: boolean;
  datasets: { name: string; state: string; problems: { kind: string; count: number }[]; parts: { found: number }[] }[];
}

describe('gsva data check', () => {
  test('a table of all datasets, and where to get what is missing', async () => {
    const { code, stdout } = await runCli(['data', 'check', DATA]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/grefcoco +gRefCOCO \(UNC\) +fewer than published +6 \(19,994\) +36 \(278,232\)\n/);
    expect(stdout).toMatch(
      /refs\(google\)\.p {2}49,822 expressions; for refcocog-google\n {3}→ https:\/\/\S+refcocog.zip/,
    );
    expect(stdout).toContain(`13 of ${CATALOGUE.length} datasets are there; none has a problem\n`);
  });

  test('problems with file and record, exit code 1', async () => {
    const dir = join(scratch, 'damaged');
    cpSync(DATA, dir, { recursive: true });
    rmSync(join(dir, IMAGE));
    const { code, stdout } = await runCli(['data', 'check', dir, 'grefcoco', 'refcoco']);
    expect(code).toBe(1);
    expect(stdout).toContain(`problem  grefcoco  missing image\n         ${join(dir, IMAGE)} (image 100 of `);
    expect(stdout).toMatch(/2 of 2 datasets are there; 2 have problems\n$/);

    const forPrograms = await runCli(['data', 'check', dir, 'grefcoco', '--json']);
    expect(forPrograms.code).toBe(1);
    const { pass, datasets } = JSON.parse(forPrograms.stdout) as Checked;
    expect(pass).toBe(false);
    expect(datasets).toHaveLength(1);
    expect(datasets[0]).toMatchObject({ name: 'grefcoco', state: 'broken' });
    expect(datasets[0]?.problems).toMatchObject([{ kind: 'missing image', count: 1 }]);
    expect(datasets[0]?.parts[2]).toMatchObject({ expected: 82_783, found: 5, bytes: 13e9 });
  });

  test('one that was named and is not there, or none at all: exit code 1', async () => {
    const missing = await runCli(['data', 'check', DATA, 'refcocog-google']);
    expect(missing.code).toBe(1);
    expect(missing.stdout).toContain('1 of those named is missing');
    const empty = await runCli(['data', 'check', mkdtempSync(join(scratch, 'empty-'))]);
    expect(empty.code).toBe(1);
    expect(empty.stdout).toContain(`0 of ${CATALOGUE.length} datasets`);
  });

  test('unknown names and folders are refused', async () => {
    const unknown = await runCli(['data', 'check', DATA, 'gref']);
    expect(unknown).toMatchObject({ code: 1, stdout: '' });
    expect(unknown.stderr).toMatch(/no data set "gref".*known are ade20k, /);
    expect((await runCli(['data', 'check', join(scratch, 'none')])).stderr).toMatch(/no such folder/);
  });

  test('ends when interrupted', async () => {
    expect((await runCli(['data', 'check', DATA], { signal: AbortSignal.abort() })).code).toBe(130);
  });
});

describe('gsva data stats', () => {
  test('counts beside the published ones', async () => {
    const { code, stdout } = await runCli(['data', 'stats', DATA, 'grefcoco', 'refzom']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/grefcoco +train +2 \(16,994\) +12 +2 +2 +8\n/);
    expect(stdout).toMatch(/grefcoco +all +6 \(19,994\) +36 \(278,232\) +6 \(80,022\) +6 \(32,202\) +24\n/);
    expect(stdout).toMatch(/refzom +all +6 \(55,075\) +18 \(90,199\) +6 \(21,290\) +6 \(11,937\) +18 \(74,942\)\n/);
    expect(stdout).toContain('grefcoco: GSVA, section 4.1');
  });

  test('questions with short answers', async () => {
    const { stdout } = await runCli(['data', 'stats', fixture('vqa', 'data'), 'gqa', 'mme']);
    expect(stdout).toMatch(/gqa +train +3 \(72,140\) +5 \(943,000\)\n/);
    expect(stdout).toMatch(/mme +test +14 \(1,187\) +28 \(2,374\)\n/);
  });

  test('for programs', async () => {
    const { stdout } = await runCli(['data', 'stats', DATA, 'reason_seg', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      datasets: [{ name: 'reason_seg', total: { images: 6, expressions: 11 }, published: { total: { images: 1218 } } }],
    });
  });

  test('what cannot be read is said; nothing to count is exit code 1', async () => {
    const dir = join(scratch, 'unreadable');
    cpSync(join(DATA, 'refer_seg', 'refcoco'), join(dir, 'refer_seg', 'refcoco'), { recursive: true });
    writeFileSync(join(dir, 'refer_seg', 'refcoco', 'instances.json'), '{"images": [');
    const { code, stdout, stderr } = await runCli(['data', 'stats', dir]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/refcoco could not be read: .*instances.json/);
    expect(stdout).toMatch(/no dataset was found/);
  });
});

describe('gsva data show', () => {
  const show = (...argv: string[]): ReturnType<typeof runCli> => runCli(['data', 'show', ...argv, '--data', DATA]);

  test.each(['grefcoco', 'ade20k:validation', 'paco_lvis', 'llava_instruct_150k', 'reason_seg'])(
    '%s: a picture of each sample, and what was asked and answered',
    async (spec) => {
      const out = join(scratch, spec.replace(':', '-'));
      const { code, stdout } = await show(spec, '2', '--out', out);
      expect(code).toBe(0);
      expect(stdout).toMatch(/2 of \d images of /);
      expect(readdirSync(out).sort()).toEqual(['sample-001.png', 'sample-002.png', 'samples.json']);
      const picture = await readImage(join(out, 'sample-001.png'));
      expect(picture.width).toBe(840);
      // Something is drawn: white is not all there is.
      expect(picture.data.some((value) => value < 128)).toBe(true);
      const { samples } = JSON.parse(readFileSync(join(out, 'samples.json'), 'utf8')) as {
        samples: { conversations: { turns: { user: string; assistant: string }[]; targets: unknown[] }[] }[];
      };
      for (const { conversations } of samples) {
        for (const { turns, targets } of conversations) {
          const answers = turns.map(({ assistant }) => assistant).join('');
          expect(answers.match(/\[(SEG|REJ)\]/g) ?? []).toHaveLength(targets.length);
        }
      }
    },
  );

  test('a question with a short answer', async () => {
    const out = join(scratch, 'vizwiz');
    const { code } = await runCli(['data', 'show', 'vizwiz', '1', '--data', fixture('vqa', 'data'), '--out', out]);
    expect(code).toBe(0);
    expect(readFileSync(join(out, 'samples.json'), 'utf8')).toContain(
      "respond with 'Unanswerable'. Answer the question",
    );
  });

  test('the same seed gives the same pictures, another one others', async () => {
    const bytes = async (seed: string): Promise<string> => {
      const out = join(scratch, `seed-${seed}`);
      expect((await show('ade20k', '1', '--out', out, '--seed', seed)).code).toBe(0);
      return readFileSync(join(out, 'sample-001.png'), 'base64');
    };
    const first = await bytes('1');
    expect(await bytes('1')).toBe(first);
    expect(await bytes('2')).not.toBe(first);
  });

  test('absent classes are asked for when told to', async () => {
    const { stdout } = await show('ade20k', '1', '--out', join(scratch, 'absent'), '--absent-classes', '2', '--json');
    expect(stdout.match(/\[REJ\]/g)).toHaveLength(2);
  });

  test('bad samples are told and passed over', async () => {
    const dir = join(scratch, 'with-bad');
    cpSync(DATA, dir, { recursive: true });
    rmSync(join(dir, IMAGE));
    const out = join(scratch, 'passed-over');
    const found = await runCli(['data', 'show', 'grefcoco', '5', '--data', dir, '--out', out]);
    expect(found.code).toBe(0);
    expect(found.stderr).toMatch(/left out: .*COCO_train2014_000000000100.jpg/);
    expect(found.stdout).toMatch(/1 of 2 images/);
  });

  test('what is wrong is said, and nothing written', async () => {
    const out = join(scratch, 'nothing');
    const unknown = await show('grefcocco', '2', '--out', out);
    expect(unknown).toMatchObject({ code: 1, stdout: '' });
    expect(unknown.stderr).toMatch(/did you mean "grefcoco"\?\); known are ade20k/);
    expect((await show('grefcoco:test', '2', '--out', out)).stderr).toMatch(/it has train, val, testA, testB/);
    expect((await show('grefcoco', '0', '--out', out)).code).toBe(2);
    expect((await show('grefcoco', '2', '--out', join(DATA, 'shown'))).stderr).toMatch(/where nothing is written/);
    const own = mkdtempSync(join(scratch, 'own-'));
    writeFileSync(join(own, 'letter.txt'), '');
    expect((await show('grefcoco', '2', '--out', own)).stderr).toMatch(/holds letter.txt/);
    expect(existsSync(out)).toBe(false);
  });
});
