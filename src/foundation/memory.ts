import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Gives back to the system what loading and compiling left behind. V8 does so under pressure only, and an idle server has none: it would
 * hold on to some 30 MiB for nothing. Takes about 40 ms, so it is for the moment after the start.
 */
export const giveBackMemory = (): void => {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
};
