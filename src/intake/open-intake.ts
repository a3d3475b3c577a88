import type { Clock } from '../foundation/clock.ts';
import { createDatabaseIntake } from './database-intake.ts';
import type { FactWriter, Intake } from './intake.ts';

/** The intake that the setting names. */
export const openIntake = (url: string, needs: { writer: FactWriter; clock: Clock }): Intake => {
  if (url === 'database:') return createDatabaseIntake(needs);
  throw new Error(`There is no intake for ${url}`);
};
