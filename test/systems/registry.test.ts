/** The registry: systems by name, and the system of a config.json. */
import { describe, expect, test } from '@jest/globals';
import { RESERVED_TEXTS } from '../../src/special-tokens.js';
import { openSystem, SYSTEM_NAMES, systemNamed } from '../../src/systems/index.js';
import { modelConfigToJson } from '../../src/systems/shared/model-config.js';
import { SMALL } from '../helpers/small-model.js';
import { SMALL_SELF1E_JSON } from '../helpers/small-self1e.js';

test('no question may contain a token that a system adds', async () => {
  for (const name of SYSTEM_NAMES) {
    const { config, vocabulary } = await systemNamed(name, 'test');
    const json = name === 'self1e' ? SMALL_SELF1E_JSON : modelConfigToJson(SMALL);
    const { added } = vocabulary(config.parse(json, 'test'), {});
    expect(RESERVED_TEXTS).toEqual(expect.arrayContaining([...added]));
  }
});

describe('openSystem', () => {
  test('a config.json without "system" is of GSVA, one with it of the system that it names', async () => {
    expect((await openSystem({ llm: {} }, 'config.json')).name).toBe('gsva');
    for (const name of SYSTEM_NAMES) expect((await openSystem({ system: name }, 'config.json')).name).toBe(name);
  });

  test('what is no name, and a name that is misspelt, are refused with the file and the nearest name', async () => {
    await expect(openSystem({ system: 7 }, 'a/config.json')).rejects.toThrow('a/config.json: "system" is 7; expected');
    await expect(systemNamed('gvsa', 'a/config.json')).rejects.toThrow(
      'a/config.json: there is no system "gvsa" (did you mean "gsva"?); known are gsva',
    );
  });
});
