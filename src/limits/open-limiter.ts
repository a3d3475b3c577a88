import type { Clock } from '../foundation/clock.ts';
import type { Limiter } from './limiter.ts';
import { createMemoryLimiter } from './memory-limiter.ts';

/** Opens the limiter that the URL's scheme names: `memory:`. */
export const openLimiter = async ({ url, clock }: { url: string; clock: Clock }): Promise<Limiter> => {
  const scheme = url.split(':')[0];
  switch (scheme) {
    case 'memory':
      return createMemoryLimiter({ clock });
    default:
      throw new Error(`There is no limiter for ${scheme}:`);
  }
};
