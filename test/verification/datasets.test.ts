import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from '@jest/globals';

import { UserError } from '../../src/errors.js';
import { verifyDatasets } from '../../src/verification/datasets.js';
import { fixture } from '../helpers/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'gsva-verify-datasets-'));
afterAll(() => {
  rmSync(scratch, { recursive: true });
});

function altered(file: string, change: (text: string) => string): string {
  const dir = mkdtempSync(join(scratch, 'copy-'));
  cpSync(fixture('datasets'), dir, { recursive: true });
  writeFileSync(join(dir, file), change(readFileSync(join(dir, file), 'utf8')));
  return dir;
}

async function failures(dir: string): Promise<string[]> {
  const items = await verifyDatasets(dir, fixture('tokenizer'));
  return items.filter((item) => !item.pass).map((item) => item.item);
}

describe('verifyDatasets', () => {
  test("every split of every set in both styles, and all polygons, are the reference's", async () => {
    const items = await verifyDatasets(fixture('datasets'), fixture('tokenizer'));
    // 12 evaluation splits, 5 sets of classes, LLaVA-Instruct, polygons.
    expect(items).toHaveLength(12 * 2 * 5 + 5 * 2 + 2 * 3 + 4);
    for (const item of items) expect(item).toMatchObject({ largestError: 0, tolerance: 0, pass: true });
  });

  test('alterations of the recording or of the data fail where they belong', async () => {
    const text = altered('expected_val.json', (json) => json.replace('Sure,red triangle', 'Sure, red triangle'));
    expect(await failures(text)).toEqual(['grefcoco|unc|val, llava_v1: text']);
    const area = altered('expected_val.json', (json) => json.replace(/"areas": ?\[296/, '"areas": [297'));
    expect(await failures(area)).toEqual(['grefcoco|unc|val, llava_v1: mask areas']);
    const union = altered('expected_polygons.json', (json) => json.replace('"area": 1233', '"area": 1234'));
    expect(await failures(union)).toEqual(['polygons: area and box of the union']);
    const moved = altered('data/refer_seg/grefcoco/instances.json', (json) =>
      json.replace('[19.0, 89.0', '[19.0, 80.0'),
    );
    expect(await failures(moved)).toEqual(
      ['llava_v1', 'llava_llama_2'].flatMap((style) => [
        `grefcoco|unc|val, ${style}: mask pixels`,
        `grefcoco|unc|val, ${style}: mask areas`,
      ]),
    );
    const ignored = altered('data/reason_seg/ReasonSeg/val/val_3.json', (json) =>
      json.replace(/"label": ?"target"/, '"label": "flag"'),
    );
    expect(await failures(ignored)).toEqual(
      ['llava_v1', 'llava_llama_2'].flatMap((style) => [
        `ReasonSeg|val, ${style}: mask pixels`,
        `ReasonSeg|val, ${style}: mask areas`,
      ]),
    );
    const renamed = altered('data/mapillary/config_v2.0.json', (json) =>
      json.replace(/"readable": ?"Road"/i, '"readable": "Path"'),
    );
    expect(await failures(renamed)).toEqual(['mapillary: images and classes']);
    const said = altered('expected_vqa.json', (json) => json.replace('A chat between', 'A talk between'));
    expect(await failures(said)).toEqual(['llava_instruct_150k, llava_v1: text']);
  });

  test('missing parts are named', async () => {
    await expect(verifyDatasets(join(scratch, 'nowhere'), fixture('tokenizer'))).rejects.toThrow(UserError);
    const dir = altered('expected_val.json', (json) => json.replace('"grefcoco|unc|testB"', '"grefcoco|unc|testC"'));
    await expect(verifyDatasets(dir, fixture('tokenizer'))).rejects.toThrow(/key "grefcoco\|unc\|testB"/);
  });
});
