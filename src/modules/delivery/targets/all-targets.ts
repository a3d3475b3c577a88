import { graphqlKind } from './graphql.ts';
import type { TargetKind } from './target.ts';
import { webhookKind } from './webhook.ts';

/** Every way of delivering. A new kind is one file and one line here. */
export const targetKinds: Readonly<Record<TargetKind['kind'], TargetKind>> = {
  graphql: graphqlKind,
  webhook: webhookKind,
};

/** The kind of that name; undefined when there is none. */
export const findTargetKind = (name: string): TargetKind | undefined => Object.values(targetKinds).find(({ kind }) => kind === name);
