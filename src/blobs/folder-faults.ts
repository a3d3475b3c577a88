import { constants } from 'node:os';
import { Unavailable } from '../foundation/problem.ts';

/** The disk is full, read-only, broken or away, or we have too many files open: all may pass without a change of ours. */
const passing = new Set([
  'ENOSPC',
  'EFBIG',
  'EROFS',
  'EIO',
  'EMFILE',
  'ENFILE',
  'EACCES',
  'EPERM',
  'ENOENT',
  'ENOTDIR',
  'ESTALE',
  'ETIMEDOUT',
]);

export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** Node has no name for this one. */
const isQuota = (error: unknown): boolean => error instanceof Error && 'errno' in error && error.errno === -constants.errno.EDQUOT;

/** What a body failed with is carried through `translated` in this, so that it is not taken for a fault of the folder. */
export class BodyBroke extends Error {
  readonly by: unknown;

  constructor(by: unknown) {
    super('The body broke off.');
    this.by = by;
  }
}

/** Faults of the file system become `Unavailable`, with the fault as cause. */
export const translated = async <Result>(work: () => Promise<Result>): Promise<Result> => {
  try {
    return await work();
  } catch (error) {
    throw translate(error);
  }
};

export const translate = (error: unknown): unknown => {
  if (error instanceof BodyBroke) return error.by;
  const code = isQuota(error) ? 'EDQUOT' : codeOf(error);
  if (code !== 'EDQUOT' && (code === undefined || !passing.has(code))) return error;
  return new Unavailable(`The folder of the blobs does not take or give anything now (${code}).`, { cause: error });
};

export const ignoreMissing = (error: unknown): void => {
  if (codeOf(error) !== 'ENOENT') throw error;
};

/** For cleaning up after a failure that is already told: a second one would hide the first, and the sweeper finds what is left. */
export const orNothing = async (cleaning: Promise<unknown>): Promise<void> => {
  await cleaning.catch(() => undefined);
};
