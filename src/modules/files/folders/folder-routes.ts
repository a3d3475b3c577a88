import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from '../../../foundation/schema.ts';
import { addressOf, callerOf } from '../../../http/access.ts';
import { listQuery, pageOf, sendPage } from '../../../http/paging.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { limitReply } from '../../../http/rate-limit.ts';
import { folderTokenHeader } from '../file-schemas.ts';
import type { Files } from '../files.ts';

const tags = ['folders'];
const idOfFolder = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) });
const IdIn = Type.String({ minLength: 1, maxLength: 64 });
const NameIn = Type.String({ minLength: 1, maxLength: 1024, description: 'Folders side by side may have the same name: ids count.' });
const ParentIn = Type.Union([IdIn, Type.Null()], { description: 'The folder that it lies in; null for the top level.' });
const PasswordIn = Type.Object(
  { password: Type.String({ minLength: 4, maxLength: 256 }) },
  { additionalProperties: false, examples: [{ password: 'open sesame street' }] },
);
/** No bounds that are told: what cannot be right is wrong. */
const PresentedPasswordIn = Type.Object(
  { password: Type.String({ maxLength: 1024 }) },
  { additionalProperties: false, examples: [{ password: 'open sesame street' }] },
);

const FolderOut = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    parentId: Type.Optional(Type.String({ description: 'Absent at the top level.' })),
    locked: Type.Boolean({ description: 'It has a lock, whether it was unlocked or not.' }),
    createdAt: Type.String({ format: 'date-time' }),
    updatedAt: Type.String({ format: 'date-time' }),
  },
  {
    examples: [
      {
        id: 'fold_01k8t3w0e5f6g7h8j9kamn0pqr',
        name: 'Holidays',
        locked: false,
        createdAt: '2026-11-25T12:00:00.000Z',
        updatedAt: '2026-11-25T12:00:00.000Z',
      },
    ],
  },
);

const UnlockedOut = Type.Object(
  {
    folderToken: Type.String({ description: 'For the header `X-Folder-Token`; good for whoever unlocked it alone.' }),
    expiresAt: Type.String({ format: 'date-time' }),
  },
  {
    examples: [
      {
        folderToken: 'fold_01k8t3w0e5f6g7h8j9kamn0pqr.mfa1c2d3.9aUsm6iXb8o2Hb0r6m3Tq1VdQyZ5cKfW7nLp4sJxEgA',
        expiresAt: '2026-11-25T13:00:00.000Z',
      },
    ],
  },
);

const guesses = 'After five wrong passwords from an address within 15 minutes it is 429 there, also for the right one.';

/** Folders and their locks: each person's own. */
export const folderRoutes =
  ({ folders, removeFolder, locks, viewerOf, senderOf }: FolderFace): FastifyPluginAsyncTypebox =>
  async (app) => {
    const actorOf = (request: FastifyRequest) =>
      senderOf(callerOf(request), { address: addressOf(request), requestId: request.id, folderToken: tokenOf(request) });

    app.post(
      '/',
      {
        config: { access: 'files:write', isIdempotent: true },
        schema: {
          summary: 'Make a folder',
          tags,
          headers: folderTokenHeader,
          body: Type.Object(
            { name: NameIn, parentId: Type.Optional(ParentIn) },
            { additionalProperties: false, examples: [{ name: 'Holidays' }] },
          ),
          response: { 201: FolderOut, ...refusals('bad-request', 404, 'conflict', 'locked') },
        },
      },
      async (request, reply) => {
        const folder = await folders.create(await actorOf(request), request.body);
        return reply.code(201).header('location', `/v1/folders/${folder.id}`).send(folder);
      },
    );

    app.get(
      '/',
      {
        config: { access: 'files:read' },
        schema: {
          summary: 'List your folders',
          description: 'Newest first. Locked folders are among them; those within a locked folder are not, unless its token comes along.',
          tags,
          headers: folderTokenHeader,
          querystring: Type.Object({
            ...listQuery,
            parent: Type.Optional(
              Type.String({ minLength: 1, maxLength: 64, description: 'Those in this folder; `root`: the top level.' }),
            ),
          }),
          response: { 200: pageOf(FolderOut), ...refusals('bad-cursor', 404, 'locked') },
        },
      },
      async (request, reply) =>
        sendPage(request, reply, await folders.list(await viewerOf(callerOf(request), tokenOf(request)), request.query)),
    );

    app.get(
      '/:id',
      {
        config: { access: 'files:read' },
        schema: {
          summary: 'One folder',
          description: 'A locked folder itself is shown; what lies in it is not, before it is unlocked.',
          tags,
          params: idOfFolder,
          headers: folderTokenHeader,
          response: { 200: FolderOut, ...refusals(404, 'locked') },
        },
      },
      async (request, reply) => reply.send(await folders.get(await viewerOf(callerOf(request), tokenOf(request)), request.params.id)),
    );

    app.patch(
      '/:id',
      {
        config: { access: 'files:write' },
        schema: {
          summary: 'Rename or move a folder',
          description: 'A folder never comes to lie within itself, also not by moves at the same time: one of them is 409.',
          tags,
          params: idOfFolder,
          headers: folderTokenHeader,
          body: Type.Object(
            { name: Type.Optional(NameIn), parentId: Type.Optional(ParentIn) },
            { additionalProperties: false, examples: [{ name: 'Holidays by the sea' }] },
          ),
          response: { 200: FolderOut, ...refusals('bad-request', 404, 'conflict', 'locked') },
        },
      },
      async (request, reply) => reply.send(await folders.change(await actorOf(request), request.params.id, request.body)),
    );

    app.delete(
      '/:id',
      {
        config: { access: 'files:write' },
        schema: {
          summary: 'Delete a folder',
          description:
            'With all folders in it; the files in them go to the trash, and come back at the top level when they are restored, or in the folder around ' +
            'it where a lock hides that. 423 also where a folder in it is locked. A huge folder is emptied step by step: if that is broken off, ask again.',
          tags,
          params: idOfFolder,
          headers: folderTokenHeader,
          response: { 204: Type.Null(), ...refusals(404, 'locked') },
        },
      },
      async (request, reply) => {
        await removeFolder(await actorOf(request), request.params.id);
        return reply.code(204).send(null);
      },
    );

    app.put(
      '/:id/lock',
      {
        config: { access: 'files:write' },
        schema: {
          summary: 'Lock a folder',
          description:
            'From now on it and all in it is hidden by every road, also from you, until it is unlocked. Of a folder that you have unlocked it changes the ' +
            'password, which ends all tokens.',
          tags,
          params: idOfFolder,
          headers: folderTokenHeader,
          body: PasswordIn,
          response: { 204: Type.Null(), ...refusals(404, 'locked') },
        },
      },
      async (request, reply) => {
        await locks.lock(await actorOf(request), request.params.id, request.body.password);
        return reply.code(204).send(null);
      },
    );

    app.delete(
      '/:id/lock',
      {
        config: { access: 'files:write' },
        schema: {
          summary: 'Take the lock away',
          description: guesses,
          tags,
          params: idOfFolder,
          headers: folderTokenHeader,
          body: PresentedPasswordIn,
          response: { 204: Type.Null(), ...refusals(404, 'wrong-password', 'conflict', 'locked', 'too-many') },
        },
      },
      async (request, reply) => {
        await locks.remove(await actorOf(request), request.params.id, request.body.password, (decision) => limitReply(reply, decision));
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/:id/unlock',
      {
        config: { access: 'files:read' },
        schema: {
          summary: 'Unlock a folder',
          description: `Gives a token that opens it to you for an hour. Of locked folders in each other send the tokens of all. ${guesses}`,
          tags,
          params: idOfFolder,
          body: PresentedPasswordIn,
          response: { 200: UnlockedOut, ...refusals(404, 'wrong-password', 'conflict', 'too-many') },
        },
      },
      async (request, reply) =>
        reply.send(
          await locks.unlock(await actorOf(request), request.params.id, request.body.password, (decision) => limitReply(reply, decision)),
        ),
    );
  };

type FolderFace = Pick<Files, 'folders' | 'removeFolder' | 'locks' | 'viewerOf' | 'senderOf'>;

const tokenOf = ({ headers }: FastifyRequest) => headers['x-folder-token'];
