/** config.json of every system by its name, without the networks. */
import { describe, expect, test } from '@jest/globals';
import { configForm, PARTIAL_SIZES } from '../../src/systems/model-configs.js';
import { SYSTEM_NAMES } from '../../src/systems/index.js';
import { modelConfigToJson } from '../../src/systems/shared/model-config.js';
import { SMALL } from '../helpers/small-model.js';
import { SMALL_SELF1E_JSON } from '../helpers/small-self1e.js';

const jsonOf = (name: string): Record<string, unknown> => {
  return name === 'self1e' ? SMALL_SELF1E_JSON : { ...modelConfigToJson(SMALL), system: name };
};

describe('configForm', () => {
  test.each([...SYSTEM_NAMES])('%s: its sections are those that it writes; there and back it is the same', (name) => {
    const form = configForm(name, 'test');
    const config = form.parse(jsonOf(name), 'test');
    const written = form.toJson(config);
    expect(form.sections.every((section) => section in written)).toBe(true);
    expect(form.parse(written, 'test')).toEqual(config);
  });

  test('without a name it is that of the first releases; a misspelt one is refused with the nearest', () => {
    expect(configForm(undefined, 'here').sections).toEqual(configForm('gsva', 'here').sections);
    expect(() => configForm('selfie', 'here/config.json')).toThrow(/^here\/config\.json: there is no system "selfie"/);
    expect(() => configForm('self1', 'here')).toThrow('did you mean "self1e"?');
  });

  test('errors name the key and where the section stands', () => {
    const { vision, ...rest } = SMALL_SELF1E_JSON;
    const wrong = { ...rest, vision: { ...vision, image_size: 20 } };
    expect(() => configForm('self1e', 'run.json5').parse(wrong, 'run.json5', ['model'])).toThrow(
      'run.json5: "model.vision.image_size" is 20, expected a multiple of twice vision.patch_size',
    );
  });
});

test('a run may change single sizes of any system, and no others', () => {
  expect(PARTIAL_SIZES.safeParse({ refill: { retaining: 'none' }, lora: { vision_targets: [] } }).success).toBe(true);
  expect(PARTIAL_SIZES.safeParse({ llm: { hidden_size: 8 }, tokens: { segt: 5, rej: 6 } }).success).toBe(true);
  expect(PARTIAL_SIZES.safeParse({ refil: {} }).success).toBe(false);
});
