/** README.md of a model folder: it names the system that the model is of. */
import { expect, test } from '@jest/globals';
import { cardText, modelCard } from '../../../src/systems/shared/model-card.js';
import { SMALL } from '../../helpers/small-model.js';

const META = { conversation: 'llava_v1', stage: 'published', description: 'a\nmodel', details: { sam: 'sam.pth' } };

test.each([
  ['gsva', 'A GSVA model'],
  ['lisa', 'A LISA model'],
])('a model of %s', (system, kind) => {
  const card = modelCard({ ...SMALL, system }, META, []);
  expect(card).toContain(kind);
  expect(card).toContain('# a model\n');
  expect(card).toContain('- sam: sam.pth\n');
});

test('numbers, bytes and types of all tensors; what the model knows', () => {
  const tensor = { name: 'x', shape: [1000, 2000], dtype: 'BF16' as const, read: () => new Uint8Array(0) };
  const facts = { kind: 'model', networks: ['one network'] };
  const card = cardText(facts, { ...META, knows: 'shapes', variant: '8 [SEG]' }, [tensor, tensor]);
  for (const line of ['4.0 M parameters, 8 MiB (BF16)', 'one network', 'knows: shapes', 'variant: 8 [SEG]']) {
    expect(card).toContain(`- ${line}\n`);
  }
});
