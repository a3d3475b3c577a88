import { type Database, WriteRefused } from '../../database/database.ts';
import type { ServiceRow } from '../../database/tables.ts';
import type { Caller, Scope, TenantScope } from '../../foundation/caller.ts';
import { type Clock, toRfc3339 } from '../../foundation/clock.ts';
import type { Ids } from '../../foundation/ids.ts';
import { type Page, type PageRequest, toPage } from '../../foundation/page.ts';
import { Problem } from '../../foundation/problem.ts';
import { hashOf, newSecretText } from '../../foundation/secret.ts';
import type { Trace, TraceEntryIn } from '../trace/trace.ts';
import { mustHoldAll, parseScopeList } from './permissions.ts';
import type { SecretSeen, ServiceStore } from './service-store.ts';
import type { Denials } from './sessions/denials.ts';
import type { SessionStore } from './sessions/session-store.ts';
import type { Origin, Sessions } from './sessions/sessions.ts';

/** A service as its tenant sees it. */
export interface ServiceSeen {
  readonly id: string;
  readonly name: string;
  readonly authId: string;
  readonly scopes: Scope[];
  readonly secrets: { readonly id: string; readonly createdAt: string; readonly lastUsedAt: string | null }[];
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** All acts on services of other tenants throw `not-found`. Nobody gives a service more than it may do itself (`not-allowed`). */
export interface Services {
  /** The secret is shown here and never again. */
  create(caller: Caller, wanted: { name: string; scopes: readonly Scope[] }, origin: Origin): Promise<ServiceMade>;
  list(caller: Caller, page: PageRequest): Promise<Page<ServiceSeen>>;
  get(scope: TenantScope, id: string): Promise<ServiceSeen>;
  /** Changed scopes count at once, also for the sessions that are open. */
  change(caller: Caller, id: string, changes: { name?: string; scopes?: readonly Scope[] }, origin: Origin): Promise<ServiceSeen>;
  /** Ends all its sessions. */
  remove(caller: Caller, id: string, origin: Origin): Promise<void>;
  /** Throws `conflict` where there are two already. */
  addSecret(caller: Caller, id: string, origin: Origin): Promise<{ id: string; secret: string }>;
  /** Ends the sessions that were opened with it. */
  removeSecret(caller: Caller, id: string, secretId: string, origin: Origin): Promise<void>;
}

export interface ServiceMade {
  readonly id: string;
  readonly authId: string;
  readonly secretId: string;
  readonly secret: string;
}

/** Two, so that a secret is replaced without a moment in which none is right. */
const maxSecrets = 2;

export const createServices = ({
  database,
  store,
  sessionStore,
  sessions,
  denials,
  trace,
  clock,
  ids,
}: {
  database: Pick<Database, 'write' | 'transaction'>;
  store: ServiceStore;
  sessionStore: SessionStore;
  sessions: Pick<Sessions, 'noteEnded'>;
  denials: Denials;
  trace: Pick<Trace, 'entries'>;
  clock: Clock;
  ids: Ids;
}): Services => {
  const entry = (caller: Caller, id: string, { requestId }: Origin, what: TraceEntryIn['what'], detail: object): TraceEntryIn[] => [
    { tenantId: caller.tenantId, subject: id, kind: 'service', requestId, at: clock.now(), what, who: caller.id, detail },
  ];

  const newSecret = (serviceId: string) => {
    const text = newSecretText();
    const row = { id: ids.next('secret'), serviceId, secretHash: hashOf(text), createdAt: clock.now(), lastUsedAt: null };
    return { text, row };
  };

  const getRow = async (scope: TenantScope, id: string): Promise<ServiceRow> => (await store.findService(scope, id)) ?? refuseUnknown(id);

  const see = async (row: ServiceRow): Promise<ServiceSeen> => toSeen(row, await store.listSecrets([row.id]));

  return {
    async create(caller, { name, scopes }, origin) {
      mustHoldAll(caller, scopes);
      const now = clock.now();
      const id = ids.next('service');
      const authId = ids.next('auth');
      const secret = newSecret(id);
      const row = { id, tenantId: caller.tenantId, name, authId, scopesJson: JSON.stringify(scopes), createdAt: now, updatedAt: now };
      await database.write([
        store.insertService(row),
        store.insertSecret(secret.row),
        ...trace.entries(entry(caller, id, origin, 'created', { name, scopes, secret: secret.row.id })),
      ]);
      return { id, authId, secretId: secret.row.id, secret: secret.text };
    },

    async list(caller, page) {
      const rows = await store.listServices(caller, page);
      const secrets = await store.listSecrets(rows.map((row) => row.id));
      return toPage(
        rows,
        page.limit,
        (row) => [row.id],
        (row) => toSeen(row, secrets),
      );
    },

    get: async (scope, id) => see(await getRow(scope, id)),

    async change(caller, id, changes, origin) {
      const changed = await database.transaction(async (trx) => {
        const held = await store.holdService(trx, caller, id, clock.now());
        if (!held) return refuseUnknown(id);
        const before = scopesOf(held.service);
        const scopes = changes.scopes ?? before;
        const added = scopes.filter((scope) => !before.includes(scope));
        mustHoldAll(caller, added);
        const row = { ...held.service, name: changes.name ?? held.service.name, scopesJson: JSON.stringify(scopes) };
        await trx.run([store.updateService(row), ...trace.entries(entry(caller, id, origin, 'changed', changes))]);
        return row;
      });
      denials.changeScopes(id, new Set(scopesOf(changed)), changed.updatedAt);
      return see(changed);
    },

    async remove(caller, id, origin) {
      const end = sessionStore.endSessionsOfCaller({ tenantId: caller.tenantId, callerId: id, at: clock.now() });
      const removal = store.removeService({ tenantId: caller.tenantId, id });
      const [, ended] = await orUnknown(id, [removal, end, ...trace.entries(entry(caller, id, origin, 'removed', {}))]);
      sessions.noteEnded(ended);
    },

    async addSecret(caller, id, origin) {
      const secret = newSecret(id);
      await database.transaction(async (trx) => {
        const held = await store.holdService(trx, caller, id, clock.now());
        if (!held) return refuseUnknown(id);
        // Who could add a secret to a service that may do more could sign in as that service.
        mustHoldAll(caller, scopesOf(held.service));
        if (held.secrets >= maxSecrets) throw new Problem('conflict', 'A service has at most two secrets; remove one first.');
        const traced = trace.entries(entry(caller, id, origin, 'rotated', { added: secret.row.id }));
        await trx.run([store.insertSecret(secret.row), ...traced]);
      });
      return { id: secret.row.id, secret: secret.text };
    },

    async removeSecret(caller, id, secretId, origin) {
      await getRow(caller, id);
      const end = sessionStore.endSessionsOfSecret({ tenantId: caller.tenantId, secretId, at: clock.now() });
      const removal = store.removeSecret({ serviceId: id, id: secretId });
      const traced = trace.entries(entry(caller, id, origin, 'rotated', { removed: secretId }));
      const [, ended] = await orUnknown(secretId, [removal, end, ...traced]);
      sessions.noteEnded(ended);
    },
  };

  async function orUnknown(id: string, writes: Parameters<Database['write']>[0]) {
    try {
      return await database.write(writes);
    } catch (error) {
      if (error instanceof WriteRefused) return refuseUnknown(id);
      throw error;
    }
  }
};

const refuseUnknown = (id: string): never => {
  throw new Problem('not-found', `There is no ${id} among your services.`);
};

const scopesOf = ({ scopesJson }: Pick<ServiceRow, 'scopesJson'>): Scope[] => parseScopeList(scopesJson);

const toSeen = (row: ServiceRow, secrets: readonly SecretSeen[]): ServiceSeen => ({
  id: row.id,
  name: row.name,
  authId: row.authId,
  scopes: scopesOf(row),
  secrets: secrets
    .filter((secret) => secret.serviceId === row.id)
    .map((secret) => ({
      id: secret.id,
      createdAt: toRfc3339(secret.createdAt),
      lastUsedAt: secret.lastUsedAt === null ? null : toRfc3339(secret.lastUsedAt),
    })),
  createdAt: toRfc3339(row.createdAt),
  updatedAt: toRfc3339(row.updatedAt),
});
