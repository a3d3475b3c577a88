import type { Migration } from './migration.ts';

/** What is under way stands in `deliveriesStuck` already; a second index of it cost every delivery two changes. */
export const migration0004: Migration = { version: 4, name: 'deliveries-under-way', statements: ['DROP INDEX "deliveriesUnderWay"'] };
