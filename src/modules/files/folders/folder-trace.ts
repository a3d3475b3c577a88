import type { TraceEntryIn } from '../../trace/trace.ts';
import type { Actor } from '../viewer.ts';

/**
 * An entry of something that its owner changed. `who` is the owner: so the entry that opens an item tells whose it was also when it is gone.
 * A device that acted for it is told beside it.
 */
export const entryOf = (
  { viewer, requestId }: Actor,
  kind: 'file' | 'folder' | 'share',
  subject: string,
  { what, at, place, detail }: Pick<TraceEntryIn, 'what' | 'at' | 'place'> & { detail?: object },
): TraceEntryIn => {
  const by = viewer.callerId === viewer.ownerId ? {} : { by: viewer.callerId };
  const told = { ...detail, ...by };
  return {
    ...{ tenantId: viewer.tenantId, subject, kind, requestId, at, what, place, who: viewer.ownerId },
    ...(Object.keys(told).length === 0 ? {} : { detail: told }),
  };
};
