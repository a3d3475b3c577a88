import type { Database, Trx } from '../../../database/database.ts';
import type { FileRow } from '../../../database/tables.ts';
import type { Clock } from '../../../foundation/clock.ts';
import { type Page, type PageRequest, toPage } from '../../../foundation/page.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Trace, TraceEntryIn } from '../../trace/trace.ts';
import { type FileActs, noFile } from '../file-acts.ts';
import { type FileFields, fieldNames, readFields } from '../file-fields.ts';
import { nameKey } from '../file-names.ts';
import type { FileStore, NewFileRow } from '../file-store.ts';
import type { FolderGate } from '../folders/folder-gate.ts';
import type { Ledger } from '../ledger-store.ts';
import type { Viewer } from '../viewer.ts';
import { type CatalogueFilter, type CatalogueStore, placeOf, type Sort } from './catalogue-store.ts';
import { wantedWords } from './search-words.ts';

/** What a list is asked for; what is not given is not asked. */
export interface CatalogueQuery extends Omit<CatalogueFilter, 'states' | 'isOwn' | 'words'> {
  readonly q?: string | undefined;
  readonly state?: FileRow['state'] | undefined;
  readonly owner?: 'me' | undefined;
  readonly sort?: Sort | undefined;
}

/** JSON Merge Patch: what is not given stays as it is, null takes away. */
export type FileChange = { readonly [Name in keyof FileFields]?: FileFields[Name] | null };

export interface Catalogue {
  /** What the viewer may see of it. Throws `not-found` for a folder that is not its own, `locked` for one that is to be unlocked first. */
  list(viewer: Viewer, query: CatalogueQuery, page: PageRequest): Promise<Page<NewFileRow>>;
  /**
   * By the owner alone (`not-allowed` for others who may see the row). Throws `conflict` where the file is not stored. Two changes at a time
   * of different fields both count.
   */
  change(viewer: Viewer, id: string, change: FileChange, origin: { requestId: string }): Promise<NewFileRow>;
}

export interface CatalogueNeeds {
  readonly database: Pick<Database, 'transaction'>;
  readonly store: Pick<FileStore, 'holdFile' | 'updateFields'>;
  readonly catalogueStore: CatalogueStore;
  readonly acts: Pick<FileActs, 'get'>;
  readonly folderGate: FolderGate;
  readonly ledger: Pick<Ledger, 'around'>;
  readonly trace: Pick<Trace, 'entries'>;
  readonly clock: Clock;
}

/** What is asked for, and what is being looked at still. */
const usualStates: readonly FileRow['state'][] = ['stored', 'checking'];

export const createCatalogue = (needs: CatalogueNeeds): Catalogue => {
  const { database, store, catalogueStore, acts, folderGate, ledger, trace, clock } = needs;

  const change: Catalogue['change'] = async (viewer, id, changes, { requestId }) => {
    const seen = await acts.get(viewer, id);
    if (seen.ownerId !== viewer.ownerId) throw new Problem('not-allowed', 'Only its owner changes a file.');
    const changed = columnsOf(changes);
    const gate = await folderGate.open(viewer, changes.folderId ?? undefined);
    return await database.transaction(async (trx: Trx) => {
      const before = await store.holdFile(trx, viewer, id);
      if (before === undefined) throw noFile(id);
      if (before.state !== 'stored') throw new Problem('conflict', `The file is ${before.state}; only stored files are changed.`);
      const at = clock.now();
      const after: NewFileRow = { ...before, ...changed, updatedAt: at };
      const entry = { tenantId: after.tenantId, subject: id, kind: 'file', requestId, at, who: viewer.callerId };
      await trx.run([
        ...gate.writes,
        ...ledger.around(id, [{ ...store.updateFields(after), mustChange: 1 }]),
        ...trace.entries(actsOf(before, after, changes).map((act) => ({ ...entry, ...act }))),
      ]);
      return after;
    });
  };

  return {
    change,
    async list(viewer, { q, state, owner, sort = '-createdAt', ...filter }, page) {
      if (filter.folder !== undefined && filter.folder !== 'root') await folderGate.open(viewer, filter.folder);
      const words = q === undefined ? undefined : wantedWords(q);
      // A question without a word in it ("!?") is answered by nothing.
      if (q !== undefined && words === undefined) return { items: [] };
      const states = state === undefined ? usualStates : [state];
      const wanted = { ...filter, states, isOwn: owner === 'me', words };
      const rows = await catalogueStore.listFiles(viewer, wanted, sort, page);
      return toPage(
        rows,
        page.limit,
        (row) => placeOf(sort, row),
        (row) => row,
      );
    },
  };
};

/** The columns that the change gives new values; all faults of it are named at once. */
const columnsOf = (changes: FileChange): Partial<NewFileRow> => {
  if (changes.name === null)
    throw new Problem('bad-body', 'A file has a name.', { errors: [{ in: 'body', at: '/name', why: 'cannot be taken away' }] });
  const given = fieldNames.flatMap((name): [string, string | readonly string[]][] => {
    const value = changes[name];
    return value === undefined || value === null ? [] : [[name, value]];
  });
  const fields = readFields(given, 'body');
  const columns: { -readonly [Name in keyof NewFileRow]?: NewFileRow[Name] } = {};
  for (const name of fieldNames) {
    if (changes[name] === undefined) continue;
    if (name === 'roles') columns.rolesJson = JSON.stringify(fields.roles ?? []);
    else if (name === 'visibility') columns.visibility = fields.visibility ?? 'private';
    else if (name === 'name') Object.assign(columns, fields.name === undefined ? {} : { name: fields.name, nameKey: nameKey(fields.name) });
    else columns[name] = fields[name] ?? null;
  }
  return columns;
};

/** What the trace tells of a change: which fields, never their values. */
const actsOf = (before: NewFileRow, after: NewFileRow, changes: FileChange): Pick<TraceEntryIn, 'what' | 'detail'>[] => {
  const isTold = (before.visibility === 'public') !== (after.visibility === 'public');
  const fields = Object.keys(changes).filter((name) => !(isTold && name === 'visibility'));
  return [
    ...(fields.length === 0 ? [] : [{ what: 'changed', detail: { fields } } as const]),
    ...(isTold ? [{ what: after.visibility === 'public' ? 'published' : 'unpublished' } as const] : []),
  ];
};
