import type { Migration } from './migration.ts';

// Stands for a step that is made elsewhere.
export const migration0002: Migration = { version: 2, name: 'identity', statements: [] };
