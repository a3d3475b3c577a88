import type { Write, WriteResult } from '../../database/database.ts';
import type { PersonRow } from '../../database/tables.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { MailTokens } from './accounts/mail-tokens.ts';
import type { RemovalStore } from './accounts/removal-store.ts';
import type { SessionStore } from './sessions/session-store.ts';
import type { Sessions } from './sessions/sessions.ts';

/** Locks everybody out who acts for a person, or could begin to, without its password. */
export interface LockOut {
  /**
   * The writes that end the sessions of the person and of its devices, and make PINs, approved codes and reset mails that wait worthless;
   * whoever stole a session may have prepared them. `keptId` is a session that goes on. For the transaction of the act.
   */
  writes(person: Pick<PersonRow, 'id' | 'tenantId'>, keptId?: string): Write[];
  /** Refuses the tokens of these sessions from now on; `results` are those of the writes, in their order. */
  note(results: readonly WriteResult[]): void;
}

export const createLockOut = ({
  sessionStore,
  removalStore,
  tokens,
  sessions,
  clock,
}: {
  sessionStore: Pick<SessionStore, 'endSessionsOfCaller' | 'endOtherSessionsOfCaller' | 'endSessionsOfDevicesOf'>;
  removalStore: Pick<RemovalStore, 'removeCodes'>;
  tokens: Pick<MailTokens, 'revoke'>;
  sessions: Pick<Sessions, 'noteEnded'>;
  clock: Clock;
}): LockOut => ({
  writes({ id, tenantId }, keptId) {
    const own = { tenantId, callerId: id, at: clock.now() };
    return [
      keptId === undefined ? sessionStore.endSessionsOfCaller(own) : sessionStore.endOtherSessionsOfCaller({ ...own, keptId }),
      sessionStore.endSessionsOfDevicesOf({ tenantId, personId: id, at: own.at }),
      ...removalStore.removeCodes({ tenantId, personId: id }),
      tokens.revoke(id, 'reset'),
    ];
  },
  note([ended, endedOfDevices]) {
    sessions.noteEnded(ended);
    sessions.noteEnded(endedOfDevices);
  },
});
