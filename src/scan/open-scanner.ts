import { createNoScanner } from './no-scanner.ts';
import type { Scanner } from './scanner.ts';

/** The scanner of a setting: `off:`. Throws for any other. */
export const openScanner = (url: string): Scanner => {
  if (url === 'off:') return createNoScanner();
  throw new Error(`There is no scanner of the kind ${url}`);
};
