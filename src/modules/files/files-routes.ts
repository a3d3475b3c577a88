import type { FastifyPluginAsync } from 'fastify';
import { catalogueRoutes } from './catalogue-routes.ts';
import { fileRoutes } from './file-routes.ts';
import type { Files } from './files.ts';
import { statsRoutes } from './stats-routes.ts';
import { uploadRoutes } from './upload-routes.ts';

/** All routes of the module; to be registered without a prefix. */
export const filesRoutes =
  (files: Files): FastifyPluginAsync =>
  async (app) => {
    app.register(uploadRoutes(files), { prefix: '/v1/files' });
    app.register(catalogueRoutes(files), { prefix: '/v1/files' });
    app.register(statsRoutes(files), { prefix: '/v1/files' });
    app.register(fileRoutes(files), { prefix: '/v1/files' });
  };
