/** A thing in a bag knows its place there. Only the bag writes it. */
export interface InBag {
  place: number;
}

/**
 * Things that come and go with every request. A Set would do, but a busy Set is copied again and again as places of removed things fill it,
 * the copies are linked, and one that has grown old keeps all later ones, with whatever they hold, until the next full collection: measured
 * with outgoing requests, 4 KiB and 6 µs each.
 */
export interface Bag<Item extends InBag> {
  /** In no order. */
  readonly items: readonly Item[];
  add(item: Item): void;
  /** The item must be in the bag. */
  remove(item: Item): void;
}

export const createBag = <Item extends InBag>(): Bag<Item> => {
  const items: Item[] = [];
  return {
    items,
    add(item) {
      item.place = items.length;
      items.push(item);
    },
    remove(item) {
      const last = items.pop();
      if (last === undefined || last === item) return;
      items[item.place] = last;
      last.place = item.place;
    },
  };
};
