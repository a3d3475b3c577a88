import type { Write } from '../../database/database.ts';
import type { PersonRow } from '../../database/tables.ts';
import type { DeviceAuthorizationStore } from './device-authorization-store.ts';
import type { MailTokens } from './mail-tokens.ts';
import type { PairingStore } from './pairing-store.ts';

/**
 * The writes that void what somebody who had got in left open, to come back by when the password is another: PINs and approved codes that
 * are not traded yet, and mails on their way that reset the password or, of who is in already, bring in another address. For the
 * transaction that changes the password; sessions are ended beside it.
 */
export type ShutOut = (person: Pick<PersonRow, 'id' | 'tenantId' | 'state'>) => Write[];

export const createShutOut =
  ({
    pairings,
    authorizations,
    tokens,
  }: {
    pairings: Pick<PairingStore, 'removePairingsOf'>;
    authorizations: Pick<DeviceAuthorizationStore, 'withdrawApprovalsOf'>;
    tokens: Pick<MailTokens, 'revoke'>;
  }): ShutOut =>
  ({ id, tenantId, state }) => [
    pairings.removePairingsOf({ tenantId, personId: id }),
    authorizations.withdrawApprovalsOf({ tenantId, personId: id }),
    tokens.revoke(id, 'reset'),
    ...(state === 'active' ? [tokens.revoke(id, 'confirm')] : []),
  ];
