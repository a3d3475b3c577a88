import type { Caller, TenantScope } from '../../foundation/caller.ts';
import type { KeptEntry } from './trace-entry.ts';

/** Kinds of items that belong to somebody, and are nobody else's business than administrators'. */
export const ownedKinds = ['file', 'folder', 'share'] as const;

export type OwnedKind = (typeof ownedKinds)[number];

/** Whose an item is, and whether a locked folder hides it from the caller. */
export interface Owned {
  readonly ownerId: string;
  readonly isHidden: boolean;
}

/** Of items in the caller's tenant that are (still) there. `folderToken` opens locked folders. */
export type OwnersOf = (
  caller: Caller,
  ids: readonly string[],
  folderToken: string | string[] | undefined,
) => Promise<ReadonlyMap<string, Owned>>;

export interface Judgement {
  isShown(entry: Pick<KeptEntry, 'subject'>): boolean;
  /** Something is not shown to somebody who might see it, because it is locked. */
  readonly isLocked: boolean;
}

const isOwnedKind = (kind: string): kind is OwnedKind => (ownedKinds as readonly string[]).includes(kind);

export const isOwned = ({ kind }: Pick<KeptEntry, 'kind'>): boolean => isOwnedKind(kind);

/**
 * Who sees the entries of files, folders and shares: their owner, and administrators. Of an item that is gone the entry that opened it tells
 * whose it was; where that is gone as well (retention) only administrators see the rest.
 */
export const createOwnership = ({
  openersOf,
}: {
  openersOf: (scope: TenantScope, subjects: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}) => {
  const lookUps = new Map<OwnedKind, OwnersOf>();
  return {
    ask: (kind: OwnedKind, lookUp: OwnersOf) => void lookUps.set(kind, lookUp),

    async judge(caller: Caller, entries: readonly KeptEntry[], folderToken: string | string[] | undefined): Promise<Judgement> {
      const idsOf = new Map<OwnedKind, Set<string>>();
      for (const { kind, subject } of entries) if (isOwnedKind(kind)) idsOf.set(kind, (idsOf.get(kind) ?? new Set()).add(subject));
      if (idsOf.size === 0) return { isShown: () => false, isLocked: false };

      const there = new Map<string, Owned>();
      for (const [kind, ids] of idsOf)
        for (const [id, owned] of (await lookUps.get(kind)?.(caller, [...ids], folderToken)) ?? []) there.set(id, owned);
      const gone = [...idsOf.values()].flatMap((ids) => [...ids]).filter((id) => !there.has(id));
      const openers = gone.length === 0 ? new Map<string, string>() : await openersOf(caller, gone);

      const ownerId = caller.personId ?? caller.id;
      const isAdmin = caller.scopes.has('people:manage');
      const mayKnow = (id: string): boolean => isAdmin || (there.get(id)?.ownerId ?? openers.get(id)) === ownerId;
      return {
        isShown: ({ subject }) => mayKnow(subject) && !there.get(subject)?.isHidden,
        isLocked: [...there].some(([id, { isHidden }]) => isHidden && mayKnow(id)),
      };
    },
  };
};
