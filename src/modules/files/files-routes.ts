import type { FastifyPluginAsync } from 'fastify';
import { fileRoutes } from './file-routes.ts';
import type { Files } from './files.ts';
import { folderRoutes } from './folder-routes.ts';
import { resumableRoutes } from './resumable/resumable-routes.ts';
import { trashRoutes } from './trash-routes.ts';
import { uploadRoutes } from './upload-routes.ts';

/** All routes of the module; to be registered without a prefix. */
export const filesRoutes =
  (files: Files): FastifyPluginAsync =>
  async (app) => {
    app.register(uploadRoutes(files), { prefix: '/v1/files' });
    app.register(resumableRoutes(files), { prefix: '/v1/files/resumable' });
    app.register(fileRoutes(files), { prefix: '/v1/files' });
    app.register(folderRoutes(files), { prefix: '/v1/folders' });
    app.register(trashRoutes(files), { prefix: '/v1/files' });
  };
