import { appendFileSync } from 'node:fs';

/** Where a run of the whole suite collects what the server refused, for the check at its end. */
export const refusalsFileVariable = 'REFUSALS_SEEN';

/** One refusal, as the check at the end of the suite reads it. */
export interface RefusalSeen {
  readonly method: string;
  /** As it was called, without the query. */
  readonly path: string;
  readonly status: number;
  readonly kind: string;
}

const kindPattern = /"type":"\/problems\/([\w-]+)"/;
/** Below `/oauth/` a refusal is told by the code of the RFCs. */
const oauthPattern = /^\{"error":"(\w+)"/;

/** Writes down an answer when it is a refusal and somebody collects them. */
export const noteRefusal = (method: string, path: string, status: number, text: string): void => {
  const file = process.env[refusalsFileVariable];
  const kind = status < 400 ? undefined : (kindPattern.exec(text)?.[1] ?? oauthPattern.exec(text)?.[1]);
  if (file === undefined || kind === undefined) return;
  const seen: RefusalSeen = { method, path: path.split('?', 1)[0] ?? '', status, kind };
  appendFileSync(file, `${JSON.stringify(seen)}\n`);
};
