import type { KeptEntry } from './trace-entry.ts';

/** What an id names, as far as its entries tell. A request's entries may be of several items. */
export const kindOf = (id: string, entries: readonly KeptEntry[]): string => {
  if (entries.some((entry) => entry.deliveryId === id)) return 'delivery';
  const first = entries[0];
  return first && first.requestId === id && first.subject !== id && first.itemId !== id ? 'request' : (first?.kind ?? 'unknown');
};

/** Words that leave an item's state as it was: they tell of an act, not of where the item stands. */
const acts = new Set([
  'attempted',
  'throttled',
  'rotated',
  'changed',
  'signed-in',
  'refreshed',
  'refused',
  'revoked',
  'password-changed',
  'role-changed',
  'approved',
  'fetched',
  'shared',
  'opened',
  'published',
  'unpublished',
  'unlocked',
]);

/** Of a person these tell of a device of its. */
const actsOfPeople = new Set(['paired', 'unpaired']);

const isAct = ({ what, kind }: KeptEntry): boolean => acts.has(what) || (kind === 'person' && actsOfPeople.has(what));

const deliveryStates: Readonly<Record<string, string>> = {
  delivered: 'delivered',
  dead: 'dead',
  parked: 'parked',
  retrying: 'retrying',
  replayed: 'waiting',
};

/** Words whose state has another name. */
const stateAfter: Readonly<Record<string, string>> = { resumed: 'active', restored: 'stored' };

/** Where the item stands, read from its entries alone, so that it can be told also after the item is gone. */
export const stateOf = (id: string, entries: readonly KeptEntry[]): string => {
  const deliveries = new Map<string, string>();
  let own = 'unknown';
  let routedTo = 0;
  for (const entry of entries) {
    if (entry.deliveryId !== null) {
      const state = deliveryStates[entry.what];
      if (state) deliveries.set(entry.deliveryId, state);
    } else if (entry.what === 'routed') {
      own = 'waiting';
      routedTo = targetsOf(entry);
    } else if (!isAct(entry) || own === 'unknown') {
      own = stateAfter[entry.what] ?? entry.what;
    }
  }
  const asDelivery = deliveries.get(id);
  if (asDelivery) return asDelivery;
  if (entries.every((entry) => entry.deliveryId === id)) return 'waiting';
  if (own !== 'waiting') return own;
  const states = [...deliveries.values()];
  const ended = states.filter((state) => state !== 'retrying' && state !== 'waiting').length;
  if (ended < Math.max(routedTo, states.length)) return 'waiting';
  return states.some((state) => state !== 'delivered') ? 'dead' : 'delivered';
};

const targetsOf = (entry: KeptEntry): number => {
  const detail: unknown = JSON.parse(entry.detailJson ?? '{}');
  return typeof detail === 'object' && detail !== null && 'targets' in detail && typeof detail.targets === 'number' ? detail.targets : 1;
};
