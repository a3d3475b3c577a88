import type { Write } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Events } from '../../events/events.ts';
import type { Trace } from '../../trace/trace.ts';
import type { FileFacts } from '../file-facts.ts';
import type { NewFileRow } from '../file-store.ts';

/** Bytes of a file that are given out, from the first one on. */
export interface Fetch {
  readonly file: NewFileRow;
  readonly isUnderLock: boolean;
  readonly how: 'share';
  readonly address: string;
  readonly userAgent?: string | undefined;
  readonly requestId?: string | undefined;
  /** How many the answer has. */
  readonly bytes: number;
}

/** What is written of them, in the transaction that counts them. */
export interface Fetches {
  writes(fetched: readonly Fetch[]): Write[];
}

/** What targets and the trace are told of them. Who it was, nobody knows. */
export const createFetches = ({
  events,
  trace,
  facts,
  clock,
}: {
  events: Pick<Events, 'append'>;
  trace: Pick<Trace, 'entries'>;
  facts: FileFacts;
  clock: Clock;
}): Fetches => ({
  writes: (fetched) => [
    ...events.append(
      fetched.map(({ file, isUnderLock, how }) => facts.of('file.fetched', file, { isUnderLock, who: 'entrepot', more: { how } })),
    ),
    ...trace.entries(
      fetched.map(({ file, how, address, requestId, bytes }) => ({
        ...{ tenantId: file.tenantId, subject: file.id, kind: 'file', requestId, at: clock.now(), what: 'fetched' as const },
        ...{ place: address, detail: { how, bytes } },
      })),
    ),
  ],
});
