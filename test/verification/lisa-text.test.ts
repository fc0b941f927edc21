import { test, expect } from '@jest/globals';

import { verifyLisaText } from '../../src/verification/lisa-text.js';
import { fixture } from '../helpers/fixtures.js';

test('x', async () => {
  const items = await verifyLisaText(fixture('lisa-text'), fixture('tokenizer'), fixture('datasets', 'data'));
  console.log(items.map((i) => `${i.pass} ${i.item}: ${i.largestError} ${i.detail}`).join('\n'));
});
