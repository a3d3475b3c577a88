import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../../../foundation/problem.ts';
import { Type } from '../../../foundation/schema.ts';
import { addressOf, callerOf } from '../../../http/access.ts';
import { baseUrlOf } from '../../../http/base-url.ts';
import { listQuery, pageOf, sendPage } from '../../../http/paging.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { limitReply } from '../../../http/rate-limit.ts';
import { bytesAnswers, sendBytes } from '../../../http/send-bytes.ts';
import { folderTokenHeader } from '../file-schemas.ts';
import type { Files } from '../files.ts';
import { mostItems, type Visitor } from './share-visits.ts';

const tags = ['shares'];
const IdIn = Type.String({ minLength: 1, maxLength: 64 });
const idOfShare = Type.Object({ id: IdIn });
export const tokenOfShare = {
  token: Type.String({ minLength: 1, maxLength: 128, description: 'The last part of the address of the share.' }),
};

const exampleToken = 'nkPmPBDC0xfWKpFkjmuzJbbY3GdXYjr9hkyCVmZ7xQk';
const exampleShare = {
  id: 'shr_01k8t3w0e5f6g7h8j9kamn0pqr',
  fileId: 'file_01k8t3w0e5f6g7h8j9kamn0pqr',
  hasPassword: true,
  expiresAt: '2026-12-24T12:00:00.000Z',
  maxDownloads: 3,
  downloads: 0,
  state: 'active',
  createdAt: '2026-11-25T12:00:00.000Z',
};

const shareFields = {
  id: Type.String(),
  fileId: Type.Optional(Type.String()),
  folderId: Type.Optional(Type.String()),
  hasPassword: Type.Boolean(),
  expiresAt: Type.Optional(Type.String({ format: 'date-time' })),
  maxDownloads: Type.Optional(Type.Integer()),
  downloads: Type.Integer({ description: 'Counted when an answer starts; going on with one that broke off counts no more.' }),
  state: Type.String({ description: '`active`, `expired`, `used-up` or `ended`.' }),
  createdAt: Type.String({ format: 'date-time' }),
};
const ShareOut = Type.Object(shareFields, { examples: [exampleShare] });
const NewShareOut = Type.Object(
  { ...shareFields, url: Type.String({ description: 'Where people open it. Shown in this answer only.' }) },
  { examples: [{ ...exampleShare, url: `https://files.example.com/s/${exampleToken}` }] },
);

const ShareIn = Type.Object(
  {
    fileId: Type.Optional(IdIn),
    folderId: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'With all below it, also what comes in later.' })),
    password: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    expiresAt: Type.Optional(Type.String({ format: 'date-time' })),
    maxDownloads: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000_000, description: 'Of all its files together.' })),
  },
  { additionalProperties: false, examples: [{ fileId: exampleShare.fileId, password: 'open sesame', maxDownloads: 3 }] },
);

/** No bounds that are told: what cannot be right is wrong. */
const OpenIn = Type.Object(
  { password: Type.Optional(Type.String({ maxLength: 1024 })) },
  { additionalProperties: false, examples: [{ password: 'open sesame' }] },
);

const OpenedOut = Type.Object(
  {
    shareToken: Type.String({ description: 'For the header `X-Share-Token`; good for an hour.' }),
    items: Type.Array(Type.Object({ id: Type.String(), name: Type.String(), type: Type.String(), size: Type.Integer() }), {
      description: `The files, by name; at most ${mostItems}.`,
    }),
    hasMore: Type.Optional(Type.Boolean({ description: 'There are more files than are listed.' })),
  },
  {
    examples: [
      {
        shareToken: 'nkPmPBDC0xfWKpFkjmuzJb.mfa1c2d3.9aUsm6iXb8o2Hb0r6m3Tq1VdQyZ5cKfW7nLp4sJxEgA',
        items: [{ id: exampleShare.fileId, name: 'harbour.png', type: 'image/png', size: 48_211 }],
      },
    ],
  },
);

type ShareFace = Pick<Files, 'shares' | 'shareVisits' | 'viewerOf' | 'senderOf' | 'urlOf' | 'bytesOf'>;

/** Shares as their owners make them, and as programs open them; people have the page. */
export const shareRoutes =
  ({ shares, shareVisits, viewerOf, senderOf, urlOf, bytesOf }: ShareFace): FastifyPluginAsyncTypebox =>
  async (app) => {
    const actorOf = (request: FastifyRequest) =>
      senderOf(callerOf(request), { address: addressOf(request), requestId: request.id, folderToken: request.headers['x-folder-token'] });

    app.post(
      '/',
      {
        config: { access: 'files:write', isIdempotent: true, showsSecret: true },
        schema: {
          summary: 'Share a file or a folder',
          description:
            'Exactly one of `fileId` and `folderId`, of your own. Whoever has the address (and the password, where there is one) gets the bytes, until it ' +
            'expires, is used up or ended, or what it shares is deleted. What a locked folder hides is hidden here as well.',
          tags,
          headers: folderTokenHeader,
          body: ShareIn,
          response: { 201: NewShareOut, ...refusals('not-allowed', 404, 'conflict', 'locked') },
        },
      },
      async (request, reply) => {
        const { token, ...share } = await shares.create(await actorOf(request), request.body);
        const url = urlOf(`/s/${token}`, baseUrlOf(request));
        return reply
          .code(201)
          .header('location', `/v1/shares/${share.id}`)
          .send({ ...share, url });
      },
    );

    app.get(
      '/',
      {
        config: { access: 'files:read' },
        schema: {
          summary: 'List your shares',
          description: 'Newest first, without those that were ended.',
          tags,
          querystring: Type.Object(listQuery),
          response: { 200: pageOf(ShareOut), ...refusals('bad-cursor') },
        },
      },
      async (request, reply) => sendPage(request, reply, await shares.list(await viewerOf(callerOf(request)), request.query)),
    );

    app.get(
      '/:id',
      {
        config: { access: 'files:read' },
        schema: { summary: 'One share', tags, params: idOfShare, response: { 200: ShareOut, ...refusals(404) } },
      },
      async (request, reply) => reply.send(await shares.get(await viewerOf(callerOf(request)), request.params.id)),
    );

    app.delete(
      '/:id',
      {
        config: { access: 'files:write' },
        schema: { summary: 'End a share', tags, params: idOfShare, response: { 204: Type.Null(), ...refusals(404) } },
      },
      async (request, reply) => {
        await shares.end(await actorOf(request), request.params.id);
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/:token/open',
      {
        config: { access: 'public' },
        schema: {
          summary: 'Open a share',
          description:
            'Gives what it holds and a token with which to fetch it. After five wrong passwords from an address within 15 minutes it is 429 there, also for the ' +
            'right one; that none was given counts as no try.',
          tags,
          params: Type.Object(tokenOfShare),
          body: Type.Union([OpenIn, Type.Null()]),
          response: { 200: OpenedOut, ...refusals('wrong-password', 404, 'gone', 'locked', 'too-many') },
        },
      },
      async (request, reply) => {
        const { token } = request.params;
        const opened = await shareVisits.open(token, request.body?.password, visitorOf(request), (decision) => limitReply(reply, decision));
        const { shareToken, items, hasMore } = opened;
        return reply.send({ shareToken, items: [...items], ...(hasMore ? { hasMore } : {}) });
      },
    );

    app.get(
      '/:token/files/:fileId/content',
      {
        config: { access: 'public', answersHead: true },
        schema: {
          summary: 'Fetch a file of a share',
          description:
            'With the token of its opening, in the header or, for links without a script, in the query; such links lead back to the page of the share where ' +
            'they are over. Whoever has begun a download goes on with it by `Range` without using up another, until twice the size of the file was sent.',
          tags,
          params: Type.Object({ ...tokenOfShare, fileId: IdIn }),
          headers: Type.Object({ 'x-share-token': Type.Optional(Type.String({ maxLength: 256 })) }),
          querystring: Type.Object({ shareToken: Type.Optional(Type.String({ maxLength: 256 })) }),
          produces: ['*/*'],
          response: { ...bytesAnswers, ...refusals('not-allowed', 404, 'gone', 'locked') },
        },
      },
      async (request, reply) => {
        const { token, fileId } = request.params;
        const shareToken = request.headers['x-share-token'] ?? request.query.shareToken;
        try {
          const { file, begin, end } = await shareVisits.fetch(token, fileId, shareToken, visitorOf(request));
          const { address, userAgent, requestId } = visitorOf(request);
          const bytes = bytesOf(file, {
            ...{ disposition: 'attachment', cacheControl: 'private, no-store', isOwnAddress: false },
            download: { isUnderLock: false, how: 'share', address, userAgent, requestId },
          });
          return await sendBytes(request, reply, { ...bytes, onStart: begin, onEnd: end });
        } catch (error) {
          if (error instanceof Problem && isFollowedByPerson(request))
            return (reply as FastifyReply).redirect(`/s/${encodeURIComponent(token)}`, 303);
          throw error;
        }
      },
    );
  };

export const visitorOf = (request: FastifyRequest): Visitor => ({
  address: addressOf(request),
  requestId: request.id,
  userAgent: request.headers['user-agent'],
});

/** A link of the page, in a browser: the page says in words what has become of the share. */
const isFollowedByPerson = ({ headers, query }: FastifyRequest<{ Querystring: { shareToken?: string } }>): boolean =>
  query.shareToken !== undefined && headers.range === undefined && /\btext\/html\b/.test(headers.accept ?? '');
