import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../../foundation/schema.ts';
import { callerOf } from '../../../http/access.ts';
import { moment, timesOf } from '../../../http/time-range.ts';
import { fileTags, folderTokenHeader } from '../file-schemas.ts';
import type { Files } from '../files.ts';

const counts = {
  files: Type.Integer(),
  bytes: Type.Integer(),
  downloads: Type.Integer({ description: 'How often they were given out.' }),
};
const by = (description: string) => Type.Array(Type.Object({ key: Type.String(), ...counts }), { description });
const one = (key: string) => [{ key, files: 2, bytes: 96_422, downloads: 5 }];

const StatisticsOut = Type.Object(
  {
    totals: Type.Object(counts),
    byProvider: by('Most files first, as all but the months.'),
    byCategory: by('Files without one count in the totals alone.'),
    byLanguage: by('Files without one count in the totals alone.'),
    byRole: by('A file for several audiences counts in each; one for all in the totals alone.'),
    byType: by('What the bytes are.'),
    byMonth: by('In which they were made (UTC), `2026-11`, in order.'),
  },
  {
    examples: [
      {
        totals: { files: 2, bytes: 96_422, downloads: 5 },
        byProvider: one('city-archive'),
        byCategory: one('photos'),
        byLanguage: one('en'),
        byRole: one('Mentor/Coach'),
        byType: one('image/png'),
        byMonth: one('2026-11'),
      },
    ],
  },
);

export const statsRoutes =
  ({ statistics, viewerOf }: Pick<Files, 'statistics' | 'viewerOf'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/stats',
      {
        config: { access: 'files:read' },
        schema: {
          summary: 'Count files',
          description:
            'Stored files that you may see, those in locked folders left out. Whole days (UTC) are counted: that of `from` and all that begin before `to`. ' +
            'Always up to date.',
          tags: fileTags,
          headers: folderTokenHeader,
          querystring: Type.Object({
            from: moment('Made on this day or later.'),
            to: moment('Made on a day that begins before this time.'),
          }),
          response: { 200: StatisticsOut },
        },
      },
      async (request, reply) => {
        const viewer = await viewerOf(callerOf(request), request.headers['x-folder-token']);
        return reply.send(await statistics.count(viewer, timesOf(request.query)));
      },
    );
  };
