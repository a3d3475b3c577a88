import type { Static, TObject } from 'typebox';
import type { Statement, Write } from '../../../database/database.ts';
import type { Caller, Scope } from '../../../foundation/caller.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Problem } from '../../../foundation/problem.ts';
import type { TraceEntryIn } from '../../trace/trace.ts';
import type { Passwords } from '../accounts/passwords.ts';
import type { PersonStore } from '../accounts/person-store.ts';
import type { AdoptDevice } from '../devices/device-adoption.ts';
import type { Pairings } from '../devices/pairings.ts';
import type { Counted } from '../guessing.ts';
import type { ServiceStore } from '../service-store.ts';
import type { TenantStore } from '../tenants/tenant-store.ts';

/** A caller as far as it is known before it has a session. */
export type KnownCaller = Pick<Caller, 'id' | 'kind' | 'tenantId' | 'personId'>;

/** Something that is true with the session, told in the trace; when and from where is added. */
export type TracedAct = Pick<TraceEntryIn, 'tenantId' | 'subject' | 'kind' | 'what' | 'who' | 'detail'>;

/** Who signs in, proven. */
export interface Proven {
  readonly outcome: 'proven';
  readonly who: KnownCaller;
  /** All that it may do now. */
  readonly scopes: ReadonlySet<Scope>;
  /** Asked for less than that: the session is limited to these of them. */
  readonly limitedTo?: readonly Scope[];
  /** The OAuth client that opens the session. */
  readonly clientId?: string;
  /** The service secret that was used; when it is removed the session ends. */
  readonly secretId?: string;
  /** Carried out together with the session; where one is refused by the database, so is signing in. */
  readonly writes: readonly Write[];
  /** Writes that end sessions (`endSession…`), carried out with them. */
  readonly ends?: readonly Statement[];
  readonly traced?: readonly TracedAct[];
}

/** Not proven. `who` is given where the name exists; the answer never shows it. */
export interface NotProven {
  readonly outcome: 'refused';
  readonly who?: KnownCaller;
}

/** Proven, and yet not let in: the refusal says why. No guess, so it is not counted as one. */
export interface Barred {
  readonly outcome: 'barred';
  readonly who: KnownCaller;
  readonly refusal: Problem;
}

/** One way to sign in. */
export interface SignInMethod<Body> {
  /** What is guessed at; failures are counted by it. */
  nameOf(body: Body): string;
  /** A limit of failures from all addresses together, where one by address is not enough. */
  limitOf?(body: Body): Counted;
  /** Takes the same time and asks the database as often whether the name exists or not. */
  prove(body: Body): Promise<Proven | NotProven | Barred>;
}

export interface SignInNeeds {
  readonly people: PersonStore;
  readonly services: ServiceStore;
  readonly passwords: Passwords;
  readonly tenants: Pick<TenantStore, 'findTenant'>;
  readonly pairings: Pick<Pairings, 'guess' | 'use' | 'limitOf'>;
  readonly adoptDevice: AdoptDevice;
  readonly clock: Clock;
}

/** What a file of this folder exports: the body's schema, told apart by its `method`, and the method itself. */
export interface SignInMethodFile<Schema extends TObject> {
  readonly method: string;
  readonly schema: Schema;
  readonly example: Static<Schema>;
  open(needs: SignInNeeds): SignInMethod<Static<Schema>>;
}
