import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { escapeHtml } from '../foundation/html-text.ts';
import { Problem, type ProblemKind, problems } from '../foundation/problem.ts';
import { Type } from '../foundation/schema.ts';
import { pageOfHtml, withCode } from './page.ts';
import { problemKinds, refusals } from './problem-reply.ts';
import { plainPagePolicy, sendHtml } from './security-headers.ts';

const Explanation = Type.Object(
  {
    type: Type.String({ description: 'As it stands in `type` of the refusal.' }),
    title: Type.String(),
    status: Type.Integer(),
    help: Type.String({ description: 'What to do about it.' }),
  },
  { examples: [{ type: '/problems/not-found', title: problems['not-found'].title, status: 404, help: problems['not-found'].help }] },
);

const isKind = (text: string): text is ProblemKind => Object.hasOwn(problems, text);

const explain = (kind: ProblemKind) => ({ type: `/problems/${kind}`, ...problems[kind] });

/** Browsers name HTML before anything else they take; everybody else gets JSON. */
const wantsPage = ({ headers: { accept } }: Pick<FastifyRequest, 'headers'>): boolean => accept?.includes('text/html') ?? false;

const explanationPage = (kind: ProblemKind): string => {
  const { title, status, help } = problems[kind];
  return pageOfHtml(
    title,
    `<h1>${escapeHtml(title)}</h1><p>${withCode(help)}</p><p>Status <code>${status}</code>, kind <code>${escapeHtml(kind)}</code>.</p>` +
      '<p><a href="/problems">All refusals</a></p>',
  );
};

const listPage = (): string => {
  const rows = problemKinds.map(
    (kind) =>
      `<tr><td>${problems[kind].status}</td><td><a href="/problems/${kind}">${kind}</a></td><td>${escapeHtml(problems[kind].title)}</td></tr>`,
  );
  return pageOfHtml('Refusals', `<h1>Every refusal of this server</h1><table>${rows.join('')}</table>`);
};

/** What `type` of a refusal leads to: an explanation, as a page or as JSON. */
export const problemRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/problems',
    {
      config: { access: 'public', takesAnyQuery: true },
      schema: {
        summary: 'Every refusal, explained',
        tags: ['operation'],
        response: { 200: Type.Object({ items: Type.Array(Explanation) }) },
      },
    },
    (request, reply) => {
      if (wantsPage(request)) sendHtml(reply, listPage(), plainPagePolicy);
      else reply.send({ items: problemKinds.map(explain) });
    },
  );

  app.get(
    '/problems/:kind',
    {
      config: { access: 'public', takesAnyQuery: true },
      schema: {
        summary: 'One kind of refusal, explained',
        tags: ['operation'],
        params: Type.Object({ kind: Type.String({ examples: ['not-found'] }) }),
        response: { 200: Explanation, ...refusals(404) },
      },
    },
    (request, reply) => {
      const { kind } = request.params;
      if (!isKind(kind)) throw new Problem('not-found', 'There is no such kind of refusal.');
      if (wantsPage(request)) sendHtml(reply, explanationPage(kind), plainPagePolicy);
      else reply.send(explain(kind));
    },
  );
};
