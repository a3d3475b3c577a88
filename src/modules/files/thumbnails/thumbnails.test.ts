import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openBlobStore } from '../../../blobs/open-blob-store.ts';
import { Problem } from '../../../foundation/problem.ts';
import { createKeptLog } from '../../identity/accounts/people.fixture.ts';
import { createTurnableClock } from '../../identity/identity.fixture.ts';
import type { HeldFile, NewFileRow } from '../file-store.ts';
import { createTellMissing } from '../serving/serve-file.ts';
import { createThumbnailMaker } from './thumbnail-maker.ts';
import { createThumbnails } from './thumbnails.ts';

test('of a picture that is deleted meanwhile there is none; bytes that should be there are told loudly', async (context) => {
  const clock = createTurnableClock();
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-thumbnails-'));
  context.after(() => rm(folder, { recursive: true }));
  const log = createKeptLog();
  const blobs = await openBlobStore({ url: `folder:${folder}`, clock });
  const row = { id: 'file_01k8t3w0e5f6g7h8j9kamn0pqr', type: 'image/png', size: 100, name: 'harbour.png' } as NewFileRow; // all that is looked at
  const open = (held: HeldFile | undefined) => {
    const tellMissing = createTellMissing({ store: { findHeldFile: async () => held }, log });
    const thumbnails = createThumbnails({ blobs, tellMissing, maker: createThumbnailMaker(), clock, log });
    context.after(() => thumbnails.close());
    return thumbnails;
  };
  await assert.rejects(open(undefined).get(row, 256), (error) => error instanceof Problem && error.kind === 'not-found');
  await assert.rejects(open({ ...row, isUnderLock: 0 }).get(row, 256), /not in the blob store/);
});
