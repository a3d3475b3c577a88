import { type Database, type Write, WriteRefused } from '../../../database/database.ts';
import type { ShareRow } from '../../../database/tables.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import { type Page, type PageRequest, toPage } from '../../../foundation/page.ts';
import { Problem } from '../../../foundation/problem.ts';
import { hashOf, newSecretText } from '../../../foundation/secret.ts';
import type { Events } from '../../events/events.ts';
import type { Passwords } from '../../identity/identity.ts';
import type { Trace } from '../../trace/trace.ts';
import { type FileActs, noFile } from '../file-acts.ts';
import type { FolderGate } from '../folders/folder-gate.ts';
import { entryOf } from '../folders/folder-trace.ts';
import type { Actor, Viewer } from '../viewer.ts';
import { factOfShare, resourceOfShare, type ShareResource } from './share-resource.ts';
import type { ShareStore } from './share-store.ts';

export interface ShareWanted {
  readonly fileId?: string;
  readonly folderId?: string;
  readonly password?: string;
  /** RFC 3339. */
  readonly expiresAt?: string;
  readonly maxDownloads?: number;
}

/** What owners do with their shares. Everybody else's are `not-found`. */
export interface Shares {
  /**
   * Shares a stored file, or a folder, of the actor's own. The token is shown here and never again. Throws `bad-body`, `not-found`,
   * `not-allowed` where it may see the file but not give it away, `locked`, and `conflict` where the file is not stored (any more).
   */
  create(actor: Actor, wanted: ShareWanted): Promise<ShareResource & { readonly token: string }>;
  /** Those that were not ended, newest first. */
  list(viewer: Viewer, page: PageRequest): Promise<Page<ShareResource>>;
  get(viewer: Viewer, id: string): Promise<ShareResource>;
  /** Ends it at once, for everybody who has its address; also said twice. */
  end(actor: Actor, id: string): Promise<void>;
}

export const createShares = ({
  database,
  store,
  acts,
  folderGate,
  passwords,
  events,
  trace,
  clock,
  ids,
}: {
  database: Pick<Database, 'write'>;
  store: ShareStore;
  acts: Pick<FileActs, 'get'>;
  folderGate: FolderGate;
  passwords: Pick<Passwords, 'hash'>;
  events: Pick<Events, 'append' | 'announce'>;
  trace: Pick<Trace, 'entries'>;
  clock: Clock;
  ids: Ids;
}): Shares => {
  /** The writes that refuse the act where what is shared goes meanwhile. */
  const holdShared = async (viewer: Viewer, { fileId, folderId }: ShareWanted): Promise<readonly Write[]> => {
    if (fileId === undefined) return (await folderGate.open(viewer, folderId)).writes;
    const file = await acts.get(viewer, fileId);
    if (file.ownerId !== viewer.ownerId) throw new Problem('not-allowed', 'Only its owner shares a file.');
    if (file.state !== 'stored') throw notStored();
    return [store.holdFile(file)];
  };

  const get = async (viewer: Viewer, id: string): Promise<ShareRow> => {
    const share = await store.findShare(viewer, id);
    if (share === undefined) throw new Problem('not-found', `You have no share ${id}.`);
    return share;
  };

  return {
    async create(actor, wanted) {
      const { viewer } = actor;
      const at = clock.now();
      const expiresAt = expiryOf(wanted, at);
      if ((wanted.fileId === undefined) === (wanted.folderId === undefined))
        throw badWish('', 'names neither a file nor a folder, or both: exactly one is shared');
      const holds = await holdShared(viewer, wanted);
      const token = newSecretText();
      const share: ShareRow = {
        ...{ id: ids.next('share'), tenantId: viewer.tenantId, ownerId: viewer.ownerId, tokenHash: hashOf(token) },
        ...{ fileId: wanted.fileId ?? null, folderId: wanted.folderId ?? null, expiresAt, maxDownloads: wanted.maxDownloads ?? null },
        passwordHash: wanted.password === undefined ? null : await passwords.hash(wanted.password),
        ...{ downloads: 0, createdAt: at, endedAt: null },
      };
      const resource = resourceOfShare(share, at);
      const { id, createdAt: _createdAt, downloads: _downloads, state: _state, ...detail } = resource;
      const [kind, subject] = share.fileId === null ? (['folder', share.folderId ?? ''] as const) : (['file', share.fileId] as const);
      try {
        await database.write([
          ...holds,
          store.insertShare(share),
          ...events.append([factOfShare('share.created', share, { at, who: viewer.callerId })]),
          ...trace.entries([
            entryOf(actor, 'share', id, { what: 'created', at, place: actor.address, detail }),
            entryOf(actor, kind, subject, { what: 'shared', at, place: actor.address, detail: { share: id } }),
          ]),
        ]);
      } catch (error) {
        if (!(error instanceof WriteRefused)) throw error;
        throw share.fileId === null ? new Problem('not-found', 'The folder has gone.') : noFile(share.fileId);
      }
      events.announce();
      return { ...resource, token };
    },

    async list(viewer, page) {
      const now = clock.now();
      const toItem = (share: ShareRow) => resourceOfShare(share, now);
      return toPage(await store.listShares(viewer, page), page.limit, ({ id }) => [id], toItem);
    },

    async get(viewer, id) {
      return resourceOfShare(await get(viewer, id), clock.now());
    },

    async end(actor, id) {
      const share = await get(actor.viewer, id);
      const at = clock.now();
      try {
        await database.write([
          store.endShare({ id: share.id, at }),
          ...trace.entries([entryOf(actor, 'share', share.id, { what: 'removed', at, place: actor.address })]),
        ]);
      } catch (error) {
        if (!(error instanceof WriteRefused)) throw error; // it had ended already
      }
    },
  };
};

const notStored = () => new Problem('conflict', 'Only a file that is stored can be shared.');

const badWish = (at: string, why: string): Problem =>
  new Problem('bad-body', `The body ${at === '' ? '' : `at \`${at}\` `}${why}.`, { errors: [{ in: 'body', at, why }] });

const expiryOf = ({ expiresAt: text }: ShareWanted, now: number): number | null => {
  if (text === undefined) return null;
  const expiresAt = Date.parse(text);
  if (Number.isNaN(expiresAt)) throw badWish('/expiresAt', 'is no time');
  if (expiresAt <= now) throw badWish('/expiresAt', 'must lie in the future');
  return expiresAt;
};
