/** All scopes there are, each with what it allows; roles are sets of these. */
export const scopes = {
  'files:read': 'see and fetch files',
  'files:write': 'upload, change and remove files',
  'events:read': 'see events and the live flow of the tenant',
  'events:send': 'send events',
  'records:read': 'read own records',
  'records:write': 'write own records',
  'records:read:any': 'read the records of everybody in the tenant',
  'records:write:any': 'write records for everybody in the tenant',
  'trace:read': 'read traces',
  'targets:manage': 'make and change targets, see flow and deliveries',
  'deliveries:replay': 'replay deliveries',
  'people:manage': 'manage the people of the tenant',
  'services:manage': 'manage the services of the tenant',
  'tenants:manage': 'manage all tenants',
  operate: 'see metrics and keys of the whole instance',
} as const satisfies Record<string, string>;

export type Scope = keyof typeof scopes;

export const isScope = (text: string): text is Scope => Object.hasOwn(scopes, text);

/** Who a request comes from, proven. Belongs to one tenant; every store read takes it or a part of it. */
export interface Caller {
  readonly id: string;
  readonly kind: 'person' | 'device' | 'service';
  readonly tenantId: string;
  readonly sessionId: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Of a device: the person whom it acts for. */
  readonly personId?: string;
  /** The session was given less than its caller may do; a change of the caller's scopes never adds to it. */
  readonly isLimited?: boolean;
  /** Somebody whom the organisation's user service vouches for: there is no account of it here, and its id is the one that it has there. */
  readonly isKnownElsewhere?: boolean;
}

/** What a store read is limited to. */
export interface TenantScope {
  readonly tenantId: string;
}
