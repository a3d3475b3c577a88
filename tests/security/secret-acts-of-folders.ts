import assert from 'node:assert/strict';
import { newSecret, type Scene } from './secret-acts.ts';

/** What owners of folders do with secrets. */
export const actsOfFolders: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
  'lock a folder, mistype its password, unlock it, send its token': async ({ call: ask, admin, hide }) => {
    const { body: folder } = await ask('POST', '/v1/folders', { token: admin, body: { name: 'folder-with-secrets' } });
    const path = `/v1/folders/${folder.id}`;
    const password = hide('the password of a folder', newSecret('folder'));
    const locked = await ask('PUT', `${path}/lock`, { token: admin, body: { password } });
    assert.equal(locked.status, 204, locked.text);
    const mistyped = { password: hide('a mistyped password of a folder', newSecret('mistyped')) };
    await ask('POST', `${path}/unlock`, { token: admin, body: mistyped });
    await ask('DELETE', `${path}/lock`, { token: admin, body: mistyped });
    const { body: unlocked } = await ask('POST', `${path}/unlock`, { token: admin, body: { password } });
    hide('the token of a folder', unlocked.folderToken);
    const headers = { 'x-folder-token': `${unlocked.folderToken}, ${hide('a folder token that is none', newSecret('folder-token'))}` };
    const renamed = await ask('PATCH', path, { token: admin, body: { name: 'folder-with-more-secrets' }, headers });
    assert.equal(renamed.status, 200, renamed.text);
    await ask('GET', `/v1/trace/${folder.id}`, { token: admin, headers });
    await ask('GET', `${path}?folderToken=${unlocked.folderToken}`, { token: admin });
  },
};
