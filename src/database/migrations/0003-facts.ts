import type { Migration } from './migration.ts';

// Stands for a step that is made elsewhere.
export const migration0003: Migration = { version: 3, name: 'facts', statements: [] };
