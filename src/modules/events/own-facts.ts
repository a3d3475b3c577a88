/** The types of our own facts. Nobody may send an event of such a type. */
export const ownFactTypes = [
  'file.stored',
  'file.rejected',
  'file.fetched',
  'file.trashed',
  'file.restored',
  'file.deleted',
  'share.created',
  'share.opened',
  'record.stored',
  'report.computed',
  'target.paused',
  'delivery.dead',
] as const;

export type OwnFactType = (typeof ownFactTypes)[number];

const reserved: ReadonlySet<string> = new Set(ownFactTypes);

export const isReservedType = (type: string): boolean => reserved.has(type);

/** Something that happened here, told to targets that want `**` or its type. */
export interface OwnFact {
  readonly tenantId: string;
  readonly type: OwnFactType;
  /** Who made it happen; `entrepot` where nobody did. */
  readonly who?: string;
  readonly orderingKey?: string;
  /** The resource as GET shows it. */
  readonly body: unknown;
}
