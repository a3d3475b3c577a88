import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNoScanner } from './no-scanner.ts';
import { scannerContract } from './scanner.contract.ts';

scannerContract('No scanner', async () => createNoScanner(), { findsEicar: false });

test('where nothing is scanned, no byte is read for it', async () => {
  const open = () => assert.fail('it was opened');
  assert.deepEqual(await createNoScanner().scan(open), { isClean: true });
});
