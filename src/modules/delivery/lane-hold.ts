import type { Database, Write, WriteResult } from '../../database/database.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Lease, LeaseStore } from './lease-store.ts';
import { latestSendMs } from './pace.ts';

/**
 * What a lane holds: the right to act for its target, and what it has written down of it. Another owner begins behind what is written
 * down, and after the lease is over; so nothing may go out beyond either.
 */
export interface Hold {
  /** Carries out the writes as the holder and notes that slots are reserved until `reservedUntil`. Rejects with `WriteRefused` when the lease has gone to somebody else. */
  write(reservedUntil: number, writes: readonly Write[]): Promise<readonly WriteResult[]>;
  /** The lease was renewed at `at` by an act for all leases. */
  renewed(at: number): void;
  /** The lease is over as far as can be known without the database: another may have it. */
  isOver(): boolean;
  /** A request may go now: what is written down covers it. */
  readonly isCovered: boolean;
  /** Writes down that requests go now. At most one such act is under way. */
  cover(): Promise<void>;
}

/** The other half is for what lies between the decision to send and the first byte on the wire. */
const coveredLateMs = latestSendMs / 2;
const coverStretchMs = 100;

export const createHold = ({
  lease,
  database,
  leases,
  clock,
}: {
  lease: Lease;
  database: Database;
  leases: LeaseStore;
  clock: Clock;
}): Hold => {
  let heldUntil = lease.expiresAt;
  let reserved = lease.pacedUntil;
  let covering: Promise<void> | undefined;

  const write = async (reservedUntil: number, writes: readonly Write[]): Promise<readonly WriteResult[]> => {
    const at = clock.now();
    const until = Math.ceil(reservedUntil);
    const [, ...results] = await database.write([leases.holdOn(lease, at, until), ...writes]);
    heldUntil = Math.max(heldUntil, at + leases.ttlMs);
    reserved = Math.max(reserved, until);
    return results;
  };

  return {
    write,
    renewed(at) {
      heldUntil = Math.max(heldUntil, at + leases.ttlMs);
    },
    isOver: () => clock.now() >= heldUntil,
    get isCovered() {
      return clock.now() <= reserved + coveredLateMs;
    },
    async cover() {
      covering ??= write(clock.now() + coverStretchMs, [])
        .then(() => undefined)
        .finally(() => {
          covering = undefined;
        });
      await covering;
    },
  };
};
