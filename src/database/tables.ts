import type { Generated } from 'kysely';
import type { FileTables } from './file-tables.ts';
import type { ShareTables } from './share-tables.ts';

export type * from './file-tables.ts';
export type * from './share-tables.ts';

// The schema on one screen. Times are milliseconds since 1970 (UTC), flags are 0 or 1, `…Json` columns hold JSON text.

export interface TenantRow {
  id: string;
  slug: string;
  name: string;
  /** A suspended tenant's sessions are refused. */
  state: 'active' | 'suspended';
  /** 1 where people confirm their e-mail address before they sign in. */
  confirmEmail: number;
  /** Whether people sign up by themselves. */
  signUp: 'open' | 'closed';
  /** Bytes that a person's files may have, and those of all together; null for what the settings say. */
  quotaPerson: number | null;
  quotaTenant: number | null;
  createdAt: number;
  updatedAt: number;
}

export interface PersonRow {
  id: string;
  tenantId: string;
  username: string;
  /** The user name as compared: NFKC, lower case. Unique in the instance. */
  usernameKey: string;
  /** An argon2id string with its parameters; empty where the person has no password here. */
  passwordHash: string;
  email: string | null;
  /** A new address that counts when it is confirmed. */
  pendingEmail: string | null;
  displayName: string | null;
  role: 'viewer' | 'member' | 'admin' | 'operator';
  rolesJson: string;
  state: 'active' | 'unconfirmed';
  createdAt: number;
  updatedAt: number;
}

/** User names that were ever given, by their hash: a name is given once, also when its person is gone. */
export interface TakenNameRow {
  nameHash: string;
}

/** A person whom another identity provider vouches for. Stays when the person is gone, so that it is not made anew. */
export interface ForeignPersonRow {
  issuer: string;
  subjectHash: string;
  personId: string;
  createdAt: number;
}

export interface ServiceRow {
  id: string;
  tenantId: string;
  name: string;
  authId: string;
  scopesJson: string;
  createdAt: number;
  updatedAt: number;
}

export interface ServiceSecretRow {
  id: string;
  serviceId: string;
  /** SHA-256 of 256 random bits. */
  secretHash: string;
  createdAt: number;
  lastUsedAt: number | null;
}

export interface SessionRow {
  id: string;
  tenantId: string;
  callerId: string;
  callerKind: 'person' | 'device' | 'service';
  /** Of a device the person whom it acts for. */
  personId: string | null;
  /** The OAuth client that opened it; null where the caller signed in itself. */
  clientId: string | null;
  secretId: string | null;
  /** What it is limited to; null for all that its caller may do. */
  scopesJson: string | null;
  /** The address it was opened from; a refresh from elsewhere is refused. */
  address: string;
  createdAt: number;
  lastUsedAt: number;
  refreshExpiresAt: number;
  /** However often it is refreshed, it ends then. */
  endsAt: number | null;
  revokedAt: number | null;
}

/** A paired device: it acts for its person. */
export interface DeviceRow {
  id: string;
  tenantId: string;
  personId: string;
  /** The id that the device gave itself. Unique in the instance: whose PIN is traded owns the device. */
  deviceId: string;
  name: string | null;
  createdAt: number;
  lastUsedAt: number;
}

/** A PIN that waits to be traded. The newest of a device id counts. */
export interface PairingRow {
  id: string;
  tenantId: string;
  personId: string;
  deviceId: string;
  name: string | null;
  /** Keyed with the server's secret key: four digits alone could be found from a plain hash. */
  pinHash: string;
  triesLeft: number;
  createdAt: number;
  expiresAt: number;
  usedAt: number | null;
}

/** A device authorization grant (RFC 8628). */
export interface DeviceAuthorizationRow {
  deviceCodeHash: string;
  userCodeHash: string;
  clientId: string;
  scopesJson: string | null;
  state: 'pending' | 'approved' | 'denied' | 'used';
  tenantId: string | null;
  personId: string | null;
  intervalMs: number;
  polledAt: number | null;
  createdAt: number;
  expiresAt: number;
}

/** What a mail carries to prove that it was received; gone when it was used. */
export interface MailTokenRow {
  tokenHash: string;
  purpose: 'confirm' | 'reset';
  tenantId: string;
  personId: string;
  createdAt: number;
  expiresAt: number;
}

/** A mail that waits to be sent. */
export interface MailRow {
  id: string;
  tenantId: string;
  personId: string | null;
  /** Sealed: it holds tokens and addresses. */
  sealedMail: string;
  attempts: number;
  nextAt: number;
  createdAt: number;
  /** It is of no use any more then. */
  expiresAt: number;
}

/** An account that was deleted and whose belongings are being removed. */
export interface RemovalRow {
  subject: string;
  tenantId: string;
  kind: string;
  createdAt: number;
}

export interface RefreshTokenRow {
  tokenHash: string;
  sessionId: string;
  usedAt: number | null;
  expiresAt: number;
}

export interface SigningKeyRow {
  id: string;
  publicJwkJson: string;
  /** The private key, sealed. */
  sealedPrivateKey: string;
  createdAt: number;
  /** From here on it signs nothing new; it verifies until `expiresAt`. */
  retiresAt: number;
  expiresAt: number;
}

export interface SetUpTokenRow {
  tokenHash: string;
  createdAt: number;
  usedAt: number | null;
}

export interface IdempotencyKeyRow {
  callerId: string;
  idempotencyKey: string;
  /** Keyed: what stands in a body could be guessed from a plain digest. */
  requestDigest: string;
  state: 'running' | 'done';
  status: number | null;
  sealedBody: string | null;
  /** The person whom the answer tells about. */
  personId: string | null;
  createdAt: number;
  expiresAt: number;
}

/** Something that happened: an event that a source sent, or a fact of our own. Written once and never changed. */
export interface FactRow {
  /** The order in which facts were written. */
  position: Generated<number>;
  id: string;
  tenantId: string;
  senderId: string;
  source: string;
  /** The id that the source gave it; a fact of our own repeats its `id`. */
  eventId: string;
  type: string;
  orderingKey: string | null;
  receivedAt: number;
  /** 1 for a fact of our own. */
  isOwn: number;
  /** The request that it came with. */
  requestId: string | null;
  traceparent: string | null;
  tracestate: string | null;
  /** The JSON object exactly as it was sent. Last, since it may be large: what stands before it is read without it. */
  content: string;
}

/** What became of a fact, from fan-out on: a fact without such a row is accepted and not fanned out yet. They are made in the order of the facts. */
export interface FactStateRow {
  /** That of the fact. */
  position: number;
  tenantId: string;
  state: 'waiting' | 'delivered' | 'dead' | 'no-target';
  openDeliveries: number;
  /** Deliveries that ended dead or parked. */
  stuckDeliveries: number;
  /** How many targets wanted it when it was fanned out. */
  targets: number;
  routedAt: number;
}

export interface TraceEntryRow {
  /** Orders all entries of the instance. */
  seq: Generated<number>;
  tenantId: string;
  /** The item that it is about: the fact's id for an event, else the item's own id. */
  subject: string;
  kind: string;
  /** The id by which callers know the item, on the entry that opens it. */
  itemId: string | null;
  /** The delivery that it is about, of an event's entries. */
  deliveryId: string | null;
  requestId: string | null;
  at: number;
  what: string;
  who: string | null;
  /** Where it happened or went: a target's name, an address. */
  place: string | null;
  detailJson: string | null;
}

export interface TargetRow {
  id: string;
  tenantId: string;
  name: string;
  kind: string;
  typesJson: string;
  /** Sealed: addresses and headers may hold credentials. */
  sealedConfig: string;
  enrichJson: string | null;
  transform: string | null;
  rateRequests: number | null;
  rateIntervalMs: number | null;
  concurrency: number;
  retryAttempts: number;
  retryMinDelayMs: number;
  retryMaxDelayMs: number;
  ordering: 'none' | 'key';
  onDead: 'skip' | 'park';
  timeoutMs: number;
  state: 'active' | 'paused';
  pausedReason: string | null;
  /** It wants facts behind this position only: what arrived after it was made. */
  afterPosition: number;
  /** 1 where the settings made it. */
  isFromSettings: number;
  createdAt: number;
  updatedAt: number;
  deletedAt: number | null;
}

export interface DeliveryRow {
  position: Generated<number>;
  id: string;
  tenantId: string;
  targetId: string;
  factId: string;
  factPosition: number;
  type: string;
  orderingKey: string | null;
  state: 'waiting' | 'delivering' | 'delivered' | 'retrying' | 'dead' | 'parked';
  /** Which of a lane's three queues it stands in. */
  queue: 'live' | 'retry' | 'replay';
  /** 1 while an earlier delivery of its key is unfinished. */
  isHeld: number;
  /** Not before; 0 for at once. */
  dueAt: number;
  attempts: number;
  reason: string | null;
  createdAt: number;
  updatedAt: number;
}

/** The unfinished delivery that holds its ordering key at a target. */
export interface LaneKeyRow {
  targetId: string;
  orderingKey: string;
  headId: string;
  /** 1 when the head is dead and the target wants what follows parked. */
  isBlocked: number;
}

/** How many deliveries of a target are in each state, kept with every change. */
export interface DeliveryCountRow {
  targetId: string;
  tenantId: string;
  state: DeliveryRow['state'];
  amount: number;
}

/** Running totals per tenant. */
export interface FactCountRow {
  tenantId: string;
  name: 'routed' | 'delivered' | 'dead';
  amount: number;
}

/** Who may do a thing alone, until when. The token grows with each change of hands and fences off the one before. */
export interface LeaseRow {
  name: string;
  holder: string;
  token: number;
  expiresAt: number;
  /** Slots of the lane's pace are given out up to here. */
  pacedUntil: number;
  /** When the holder last said so: `pacedUntil` means what lay between the two. */
  heldAt: number;
}

export interface MigrationRow {
  version: number;
  name: string;
  appliedAt: number;
}

export interface Tables extends FileTables, ShareTables {
  tenants: TenantRow;
  people: PersonRow;
  takenNames: TakenNameRow;
  foreignPeople: ForeignPersonRow;
  devices: DeviceRow;
  pairings: PairingRow;
  deviceAuthorizations: DeviceAuthorizationRow;
  mailTokens: MailTokenRow;
  mails: MailRow;
  removals: RemovalRow;
  services: ServiceRow;
  serviceSecrets: ServiceSecretRow;
  sessions: SessionRow;
  refreshTokens: RefreshTokenRow;
  signingKeys: SigningKeyRow;
  setUpTokens: SetUpTokenRow;
  idempotencyKeys: IdempotencyKeyRow;
  facts: FactRow;
  factStates: FactStateRow;
  factCounts: FactCountRow;
  traceEntries: TraceEntryRow;
  targets: TargetRow;
  deliveries: DeliveryRow;
  deliveryCounts: DeliveryCountRow;
  laneKeys: LaneKeyRow;
  leases: LeaseRow;
  migrations: MigrationRow;
}
