import type { OwnFact } from '../events/events.ts';
import { resourceOf } from './file-resource.ts';
import type { NewFileRow } from './file-store.ts';

/** What targets are told of files. */
export interface FileFacts {
  /**
   * A file as GET shows it, in the order of what happens to it. Of a file within a lock only ids: a locked folder hides what is in it from
   * targets, too.
   */
  of(type: OwnFact['type'], row: NewFileRow, how: { isUnderLock: boolean; who: string; more?: object }): OwnFact;
}

/** `publicUrl` is how the world reaches us; without it addresses in facts are paths. */
export const createFileFacts = ({ publicUrl }: { publicUrl: string | undefined }): FileFacts => ({
  of: (type, row, { isUnderLock, who, more }) => ({
    tenantId: row.tenantId,
    type,
    who,
    orderingKey: row.id,
    body: isUnderLock ? { id: row.id, owner: row.ownerId, state: row.state, ...more } : { ...resourceOf(row, publicUrl), ...more },
  }),
});
