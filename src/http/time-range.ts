import { Type } from '../foundation/schema.ts';

// Lists and counts of what happened in a stretch of time: `from` that moment on, up to and without `to`.

/** A moment that may be named in a query or a body. */
export const moment = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }));

/** Both as milliseconds since 1970; what is not named is left out. */
export const timesOf = ({ from, to }: { from?: string | undefined; to?: string | undefined }): { from?: number; to?: number } => ({
  ...(from === undefined ? {} : { from: Date.parse(from) }),
  ...(to === undefined ? {} : { to: Date.parse(to) }),
});
