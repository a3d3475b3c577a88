import type { Expression, ExpressionBuilder } from 'kysely';
import type { Tables } from '../../database/tables.ts';

type Changeable = ExpressionBuilder<Tables, 'people' | 'services' | 'tenants'>;

/**
 * When a row is changed now: always later than the change before. Of two changes that one hears of, in any order, the later one counts for
 * tokens that are out, and the clocks of two machines differ.
 */
export const laterThanBefore =
  (now: number) =>
  (eb: Changeable): Expression<number> =>
    eb
      .case()
      .when('updatedAt', '>=', now)
      .then(eb('updatedAt', '+', 1))
      .else(now)
      .end();
