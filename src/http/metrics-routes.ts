import type { Server } from 'node:http';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Log } from '../foundation/log.ts';
import { Type } from '../foundation/schema.ts';
import type { Secret } from '../foundation/secret.ts';
import { createPlainServer } from './node-http.ts';

/** All figures as text in the Prometheus format. */
export interface MetricsText {
  text(): Promise<string>;
  readonly contentType: string;
}

/** `/metrics` on the main port: for the operator's session or the token from the settings. */
export const metricsRoutes =
  ({ metrics, metricsToken }: { metrics: MetricsText; metricsToken?: Secret | undefined }): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/metrics',
      {
        config: { access: 'operate', isProbe: true, fixedToken: metricsToken },
        exposeHeadRoute: false,
        schema: {
          summary: 'Figures for Prometheus',
          description: 'Also for the bearer token in `ENTREPOT_METRICS_TOKEN`.',
          tags: ['operation'],
          produces: ['text/plain'],
          response: { 200: Type.String({ examples: ['# TYPE http_request_duration_seconds histogram'] }) },
        },
      },
      async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()),
    );
  };

/** Serves nothing but `/metrics`, to everybody who reaches it: for a port of its own that only the monitoring reaches. */
export const createMetricsServer = ({ metrics, log }: { metrics: MetricsText; log: Log }): Server =>
  createPlainServer((request, response) => {
    if (request.url?.split('?', 1)[0] !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
      return;
    }
    metrics.text().then(
      (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
      (error: unknown) => {
        log.error({ err: error }, 'metrics.failed');
        response.writeHead(500).end();
      },
    );
  });
