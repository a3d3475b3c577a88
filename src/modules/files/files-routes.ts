import type { FastifyPluginAsync } from 'fastify';
import { catalogueRoutes } from './catalogue/catalogue-routes.ts';
import { statsRoutes } from './catalogue/stats-routes.ts';
import { directRoutes } from './direct/direct-routes.ts';
import { hookRoutes } from './direct/hook-routes.ts';
import { trashRoutes } from './ending/trash-routes.ts';
import { fileRoutes } from './file-routes.ts';
import type { Files } from './files.ts';
import { folderRoutes } from './folders/folder-routes.ts';
import { uploadRoutes } from './receiving/upload-routes.ts';
import { resumableRoutes } from './resumable/resumable-routes.ts';
import { accessRoutes } from './serving/access-routes.ts';
import { contentRoutes } from './serving/content-routes.ts';
import { linkRoutes, signedRoutes } from './serving/link-routes.ts';
import { publicRoutes } from './serving/public-routes.ts';
import { sharePageRoutes } from './shares/share-page-routes.ts';
import { shareRoutes } from './shares/share-routes.ts';
import { thumbnailRoutes } from './thumbnails/thumbnail-routes.ts';

/** All routes of the module; to be registered without a prefix. */
export const filesRoutes =
  (files: Files): FastifyPluginAsync =>
  async (app) => {
    app.register(uploadRoutes(files), { prefix: '/v1/files' });
    app.register(catalogueRoutes(files), { prefix: '/v1/files' });
    app.register(statsRoutes(files), { prefix: '/v1/files' });
    app.register(directRoutes(files), { prefix: '/v1/files/direct' });
    app.register(hookRoutes(files), { prefix: '/v1/hooks' });
    app.register(resumableRoutes(files), { prefix: '/v1/files/resumable' });
    app.register(fileRoutes(files), { prefix: '/v1/files' });
    app.register(folderRoutes(files), { prefix: '/v1/folders' });
    app.register(shareRoutes(files), { prefix: '/v1/shares' });
    app.register(sharePageRoutes(files), { prefix: '/s' });
    app.register(trashRoutes(files), { prefix: '/v1/files' });
    app.register(contentRoutes(files), { prefix: '/v1/files' });
    app.register(linkRoutes(files), { prefix: '/v1/files' });
    app.register(accessRoutes(files), { prefix: '/v1/files' });
    app.register(thumbnailRoutes(files), { prefix: '/v1/files' });
    app.register(signedRoutes(files), { prefix: '/l' });
    app.register(publicRoutes(files), { prefix: '/p' });
  };
