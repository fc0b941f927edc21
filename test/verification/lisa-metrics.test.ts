import { test } from '@jest/globals';
import { verifyLisaMetrics } from '../../src/verification/lisa-metrics.js';
import { fixture } from '../helpers/fixtures.js';
test('x', async () => {
  const items = await verifyLisaMetrics(fixture('lisa-metrics'));
  console.log(items.map((i) => `${i.pass} ${i.item}: ${i.largestError} ${i.detail}`).join('\n'));
});
