import type { Caller } from '../../foundation/caller.ts';

/** Whoever looks at files: what every read of the module is limited to. */
export interface Viewer {
  readonly tenantId: string;
  /** The caller itself, e.g. a device. */
  readonly callerId: string;
  /** Whose files are its own. */
  readonly ownerId: string;
  /** The audiences that it belongs to (`roles` of its person). */
  readonly audiences: readonly string[];
  /** An admin sees the rows of all files of the tenant, not their bytes. */
  readonly isAdmin: boolean;
  /** Locked folders that it has unlocked. */
  readonly unlocked: readonly string[];
}

/** A viewer who changes something: from where, in which request. */
export interface Actor {
  readonly viewer: Viewer;
  readonly address: string;
  readonly requestId?: string;
}

/** What a device uploads belongs to its person. */
export const ownerOf = ({ id, personId }: Pick<Caller, 'id' | 'personId'>): string => personId ?? id;

/** For acts on what is the caller's own: what others open to its audiences is not looked at, so nobody has to ask which they are. */
export const ownerViewer = (caller: Caller, unlocked: readonly string[] = []): Viewer => ({
  tenantId: caller.tenantId,
  callerId: caller.id,
  ownerId: ownerOf(caller),
  audiences: [],
  isAdmin: caller.scopes.has('people:manage'),
  unlocked,
});

export const createViewerOf =
  ({ audiencesOf }: { audiencesOf: (caller: Caller) => Promise<readonly string[]> }) =>
  async (caller: Caller, unlocked: readonly string[] = []): Promise<Viewer> => ({
    ...ownerViewer(caller, unlocked),
    audiences: await audiencesOf(caller),
  });
