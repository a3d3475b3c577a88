import type { FastifyPluginAsync } from 'fastify';
import { accessRoutes } from './access-routes.ts';
import { catalogueRoutes } from './catalogue-routes.ts';
import { contentRoutes } from './content-routes.ts';
import { fileRoutes } from './file-routes.ts';
import type { Files } from './files.ts';
import { folderRoutes } from './folder-routes.ts';
import { linkRoutes, signedRoutes } from './link-routes.ts';
import { publicRoutes } from './public-routes.ts';
import { resumableRoutes } from './resumable/resumable-routes.ts';
import { sharePageRoutes } from './shares/share-page-routes.ts';
import { shareRoutes } from './shares/share-routes.ts';
import { statsRoutes } from './stats-routes.ts';
import { thumbnailRoutes } from './thumbnail-routes.ts';
import { trashRoutes } from './trash-routes.ts';
import { uploadRoutes } from './upload-routes.ts';

/** All routes of the module; to be registered without a prefix. */
export const filesRoutes =
  (files: Files): FastifyPluginAsync =>
  async (app) => {
    app.register(uploadRoutes(files), { prefix: '/v1/files' });
    app.register(catalogueRoutes(files), { prefix: '/v1/files' });
    app.register(statsRoutes(files), { prefix: '/v1/files' });
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
