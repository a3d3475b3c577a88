import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import type { Scanner } from './scanner.ts';

/** What every scanner promises. `eicar` tells whether it is one that finds the harmless test virus of the EICAR institute. */
export const scannerContract = (name: string, open: () => Promise<Scanner>, { findsEicar }: { findsEicar: boolean }): void => {
  describe(`${name} keeps the contract of scanners`, () => {
    const opened = (bytes: string) => async () => Readable.from([Buffer.from(bytes)]);

    test('harmless bytes are clean', async () => {
      const scanner = await open();
      assert.deepEqual(await scanner.scan(opened('nothing to see here')), { isClean: true });
    });

    test('the test virus is found and named, by a scanner that looks', async () => {
      const scanner = await open();
      const verdict = await scanner.scan(opened(eicar()));
      assert.equal(verdict.isClean, !findsEicar);
      if (!verdict.isClean) assert.match(verdict.found, /eicar/i);
    });

    test('many scans at a time each get their own verdict', async () => {
      const scanner = await open();
      const verdicts = await Promise.all(
        Array.from({ length: 8 }, (_, index) => scanner.scan(opened(index % 2 === 0 ? 'harmless' : eicar()))),
      );
      for (const [index, { isClean }] of verdicts.entries()) assert.equal(isClean, index % 2 === 0 || !findsEicar);
    });

    test('it says that it works', async () => {
      await (await open()).check();
    });
  });
};

/** Put together here, so that no scanner takes this file for a virus. */
export const eicar = (): string => ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$', 'EICAR-STANDARD-ANTIVIRUS', '-TEST-FILE!$H+H*'].join('');
