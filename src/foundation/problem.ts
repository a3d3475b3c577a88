import type { OauthErrorCode } from './oauth-errors.ts';

/** Every refusal the server can give (RFC 9457). Kinds are never renamed; `docs/problems.md` and `GET /problems/<kind>` are printed from here. */
export const problems = {
  'bad-request': {
    status: 400,
    title: 'The request is not understood',
    help: 'Something in the request is not as it must be; `errors` names each place.',
  },
  'bad-json': {
    status: 400,
    title: 'The body is not valid JSON',
    help: 'The detail says at which position reading stopped. Nesting may be at most 32 deep.',
  },
  'bad-body': {
    status: 400,
    title: 'The body does not have the right form',
    help: 'Each fault is named in `errors` with a JSON Pointer into the body.',
  },
  'bad-query': {
    status: 400,
    title: 'The address has a wrong parameter',
    help: 'Each wrong or unknown query or path parameter is named in `errors`.',
  },
  'bad-cursor': {
    status: 400,
    title: 'The cursor is not one of ours',
    help: 'Use `nextCursor` of the page before, unchanged and with the same filters.',
  },
  'bad-event': {
    status: 400,
    title: 'An event does not have the right form',
    help: 'Each fault is named in `errors`; of an array or batch nothing was taken.',
  },
  'reserved-type': {
    status: 400,
    title: 'That type is reserved',
    help: "Types of the server's own facts (`file.stored`, `delivery.dead`, …) cannot be sent from outside.",
  },
  empty: { status: 400, title: 'There are no bytes', help: 'A file has at least one byte. Check that the client sends its content.' },
  'digest-mismatch': {
    status: 400,
    title: 'The bytes are not those that the digest names',
    help: 'They changed on the way, or the digest is of another file. Nothing was kept; send it again.',
  },
  'bad-mail-token': {
    status: 400,
    title: 'The token of the mail is not valid',
    help: 'It was used, has expired or was replaced by a later one. Ask for another mail.',
  },
  'address-not-allowed': {
    status: 400,
    title: 'The target address is not allowed',
    help: 'Addresses that are not public are refused unless `ENTREPOT_OUTBOUND_ALLOW` names them.',
  },
  'not-signed-in': { status: 401, title: 'You are not signed in', help: 'Send `Authorization: Bearer <accessToken>` of a session.' },
  'bad-token': {
    status: 401,
    title: 'The access token is not valid',
    help: 'It is malformed, forged, expired, revoked or not ours. Refresh the session or sign in again.',
  },
  'bad-credentials': {
    status: 401,
    title: 'The credentials are not right',
    help: 'The name does not exist or the secret is wrong; which of them is not told.',
  },
  'bad-refresh-token': {
    status: 401,
    title: 'The refresh token is not valid',
    help: 'It was used before, ended, or comes from another address than the session. Sign in again.',
  },
  'not-allowed': {
    status: 403,
    title: 'You may not do this',
    help: 'The session lacks the scope that this needs, or what is there belongs to somebody else; the detail says which.',
  },
  'wrong-password': {
    status: 403,
    title: 'The password is not right',
    help: 'It needs the current password of the account, the folder or the share. After a few wrong ones it takes none for a while.',
  },
  unconfirmed: {
    status: 403,
    title: 'The e-mail address is not confirmed yet',
    help: 'Follow the link in the mail that was sent when you signed up, then sign in again.',
  },
  'bad-link': {
    status: 403,
    title: 'The link is not one of ours',
    help: 'Something in it was changed or is missing, e.g. its end was cut off in a mail. Use it exactly as it was given, or ask for a new one.',
  },
  'sign-up-closed': { status: 403, title: 'Nobody can sign up here', help: 'An administrator of the tenant makes the accounts.' },
  'tenant-suspended': { status: 403, title: 'The tenant is suspended', help: 'The operator of this server has to let it in again.' },
  'not-through-edge': {
    status: 403,
    title: 'The request did not come through the edge',
    help: 'Only requests that carry the key of the edge (CDN, gateway) are taken. Use the public address.',
  },
  'not-found': {
    status: 404,
    title: 'There is nothing here, or you may not see it',
    help: 'Check the address and the id, and that you belong to its tenant.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'This address does not take that method',
    help: 'The `Allow` header lists the methods it takes.',
  },
  timeout: { status: 408, title: 'The request took too long to arrive', help: 'Send the body faster, or in smaller pieces.' },
  conflict: { status: 409, title: 'It does not go together with what is there', help: 'The detail says what stands in the way.' },
  'already-created': {
    status: 409,
    title: 'This was created before',
    help: 'The answer showed a secret and is not stored; `id` names what was created.',
  },
  'in-progress': { status: 409, title: 'The first request with this key is still running', help: 'Try again in a moment.' },
  'already-set-up': { status: 409, title: 'The server is set up already', help: 'There is an operator; sign in instead.' },
  gone: {
    status: 410,
    title: 'It is over',
    help: 'Links, shares and uploads have an end. Ask for a new link or share, or begin the upload anew.',
  },
  'precondition-failed': {
    status: 412,
    title: 'It is not in the state that the request asks for',
    help: 'It has changed since you read it. Read it again; its `ETag` is what `If-Match` compares.',
  },
  'too-large': {
    status: 413,
    title: 'The body is too large',
    help: 'An event may have 256 KiB, a request 10 MiB, a stream of NDJSON any length; how large a file may be, the detail says.',
  },
  'unsupported-version': {
    status: 412,
    title: 'That version of the protocol is not spoken here',
    help: 'Resumable uploads are tus 1.0.0: each request but OPTIONS says `Tus-Resumable: 1.0.0`.',
  },
  'uri-too-long': { status: 414, title: 'The address is too long', help: 'Shorten the query.' },
  'unsupported-type': {
    status: 415,
    title: 'The content type is not taken here',
    help: 'Of a file its bytes decide what it is: the detail says what they are, and `ENTREPOT_FILE_TYPES` which files are taken. Of other bodies the detail lists the types.',
  },
  'bad-range': {
    status: 416,
    title: 'There are no bytes in that range',
    help: '`Content-Range` of the answer tells how many bytes there are; the first has the number 0.',
  },
  'expectation-failed': { status: 417, title: 'The expectation cannot be met', help: 'Only `Expect: 100-continue` is known.' },
  'broken-image': {
    status: 422,
    title: 'No thumbnail can be made of this image',
    help: 'It is damaged, cut off, not of the type it has, or larger than 64 MiB or 100 million pixels. The file itself can be fetched as it is.',
  },
  'key-reused': { status: 422, title: 'The Idempotency-Key was used with another body', help: 'Use a new key for a new request.' },
  infected: { status: 422, title: 'The file would do harm', help: 'The scanner of this server found something in it. Nothing was kept.' },
  locked: {
    status: 423,
    title: 'It is locked',
    help: 'Its folder is locked: unlock it and send the token in `X-Folder-Token`. While another upload of it runs, try again in a moment.',
  },
  'too-many': { status: 429, title: 'Too many requests', help: 'Wait as long as `Retry-After` says.' },
  'headers-too-large': { status: 431, title: 'The headers are too large', help: 'All headers together may have 16 KiB.' },
  'checksum-mismatch': {
    status: 460,
    title: 'The bytes are not those that the checksum names',
    help: 'They changed on the way. They were dropped: send them again from the offset that HEAD tells.',
  },
  internal: {
    status: 500,
    title: 'Something went wrong here',
    help: 'The fault is ours and is logged under the request id in `instance`.',
  },
  'not-implemented': {
    status: 501,
    title: 'The body is coded in a way that is not known',
    help: 'The only `Transfer-Encoding` is `chunked`. To send something compressed send it as it is: what arrives is what is kept.',
  },
  unavailable: { status: 503, title: 'It cannot be taken just now', help: 'Nothing was kept. Send it again after `Retry-After` seconds.' },
  stopping: { status: 503, title: 'The server is stopping', help: 'Send it again; another start or another machine takes it.' },
  'quota-exceeded': {
    status: 507,
    title: 'There is no room left',
    help: 'Files may take so much and no more, the trashed ones included. Delete some for good, or ask an administrator.',
  },
} as const satisfies Record<string, { status: number; title: string; help: string }>;

export type ProblemKind = keyof typeof problems;

/** Where in a request a fault is. `at` is a JSON Pointer (RFC 6901) into that part. */
export interface Fault {
  readonly in: 'body' | 'query' | 'path' | 'header';
  readonly at: string;
  readonly why: string;
}

/** Extra members and headers of a refusal. */
export interface ProblemExtras {
  readonly errors?: readonly Fault[];
  readonly retryAfterMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the problem document, e.g. `{ accepted: 17 }`. */
  readonly members?: Readonly<Record<string, unknown>>;
  /** Its code where it is answered in the form of OAuth; without it the kind decides. */
  readonly oauthError?: OauthErrorCode;
  readonly cause?: unknown;
}

/** A refusal. Thrown anywhere below a route, it reaches the client as `application/problem+json`; everything else becomes a 500. */
export class Problem extends Error {
  readonly kind: ProblemKind;
  readonly extras: ProblemExtras;

  constructor(kind: ProblemKind, detail: string, extras: ProblemExtras = {}) {
    super(detail, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.name = 'Problem';
    this.kind = kind;
    this.extras = extras;
  }

  get status(): number {
    return problems[this.kind].status;
  }
}

/** A dependency cannot serve now (away, full, locked, too slow). Adapters throw it; the client gets 503 with `Retry-After`. */
export class Unavailable extends Error {
  readonly retryAfterMs: number;

  constructor(message: string, { retryAfterMs = 1000, cause }: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Unavailable';
    this.retryAfterMs = retryAfterMs;
  }
}
