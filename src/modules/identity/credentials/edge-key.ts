import { isSameText, type Secret } from '../../../foundation/secret.ts';

/** Whether a request came through the edge (CDN, gateway), by what it carries in `X-Edge-Key`. */
export type IsThroughEdge = (sent: string | undefined) => boolean;

/**
 * Undefined where there is no edge. Any of the keys counts, so that a new one can be handed to the edge before the old one is taken away.
 * All of them are compared each time: how long it takes tells nothing about which one, or how much of it, was right.
 */
export const createEdgeCheck = (keys: readonly Secret[] | undefined): IsThroughEdge | undefined => {
  if (keys === undefined || keys.length === 0) return undefined;
  return (sent = '') => keys.map((key) => isSameText(sent, key.reveal())).includes(true);
};
