import { type RawBuilder, sql } from 'kysely';
import type { Database, Write } from '../../../database/database.ts';
import { allOf, anyOf, elementsOf, hexOf, hexOfText, term, termsFrom } from '../../../database/dialect.ts';
import { slot, template } from '../../../database/template.ts';
import type { SoughtTerm, SoughtTerms } from '../../../foundation/term-signs.ts';
import type { Viewer } from '../viewer.ts';
import type { CatalogueFilter } from './catalogue-store.ts';

// The index of terms by which files are found: words, and one term for each value that lists are filtered by. Terms of values begin with
// "=", which no word does. It only finds: who may see a row is decided on the row (`sight-store.ts`), and so is what it is filtered by.

const column = (name: string) => sql.ref(`files.${name}`);
const maybe = (kind: string, name: string) => sql`coalesce(${sql.lit(` =${kind}`)} || ${hexOf(column(name))}, '')`;
const ofRoles = (before: RawBuilder<unknown>) =>
  sql`coalesce((select group_concat(${before} || ${hexOf(sql.ref('role.value'))}, '') from ${elementsOf(column('rolesJson'))} as "role"), '')`;
const tenant = hexOf(column('tenantId'));

/** All terms of a row of "files". The counterpart of `soughtBy`. */
export const termsOfRow: RawBuilder<string> = sql<string>`'=t' || ${tenant} || '=' || ${column('state')} || ' =o' || ${hexOf(column('ownerId'))} ||
  case when ${column('state')} <> 'stored' or ${column('visibility')} = 'private' then ''
    when ${column('visibility')} = 'public' or ${column('rolesJson')} = '[]' then ' =s' || ${tenant} || '=open'
    else ${ofRoles(sql`' =s' || ${tenant} || '=for='`)} end ||
  ${maybe('c', 'category')} || ${maybe('l', 'language')} || ${maybe('p', 'provider')} || ' =y' || ${hexOf(column('type'))} ||
  ' =k' || ${hexOf(sql`substr(${column('type')}, 1, instr(${column('type')}, '/'))`)} || ' =v' || ${column('visibility')} ||
  ' =f' || ${hexOf(sql`coalesce(${column('folderId')}, 'root')`)} ||
  case when ${column('rolesJson')} = '[]' then '' else ${ofRoles(sql.lit(' =r'))} end || ${column('words')}`;

const of = (kind: string, value: string): SoughtTerm => ({ text: `=${kind}${hexOfText(value)}` });

/** What the files have that the viewer may see and that the filter wants; in doubt some more have it. */
export const soughtBy = (viewer: Viewer, filter: CatalogueFilter): SoughtTerms => {
  const { tenantId, ownerId, audiences, isAdmin } = viewer;
  const inTenant = hexOfText(tenantId);
  const { states, isOwn, category, language, provider, role, type, visibility, folder, words } = filter;
  // Of others nothing is open that is private, or not stored.
  const isOnlyOwn = isOwn || visibility === 'private' || !states.includes('stored');
  const open = [`=s${inTenant}=open`, ...audiences.map((audience) => `=s${inTenant}=for=${hexOfText(audience)}`)];
  return [
    ...(words === undefined ? [] : [...words.whole.map((word) => [{ text: word }]), [{ text: words.beginning, isBeginning: true }]]),
    ...(isOwn || !isAdmin ? [[of('o', ownerId), ...(isOnlyOwn ? [] : open.map((text) => ({ text })))]] : []),
    ...(category === undefined ? [] : [[of('c', category)]]),
    ...(language === undefined ? [] : [[of('l', language)]]),
    ...(provider === undefined ? [] : [[of('p', provider)]]),
    ...(role === undefined ? [] : [[of('r', role)]]),
    ...(type === undefined ? [] : [[type.endsWith('/*') ? of('k', type.slice(0, -1)) : of('y', type)]]),
    ...(visibility === undefined ? [] : [[{ text: `=v${visibility}` }]]),
    ...(folder === undefined ? [] : [[of('f', folder)]]),
    states.map((state) => ({ text: `=t${inTenant}=${state}` })),
  ];
};

/**
 * What finds them in the index of terms. `endings` are all the words that begin as the last one does, where they are few: their lists are
 * read from where the page begins, that of a beginning has to be made as a whole first (measured with a word in 286,000 files: 5 ms
 * against 25).
 */
export const expressionFor = (sought: SoughtTerms, endings: readonly string[] | undefined): string => {
  const oneOf = ({ text, isBeginning }: SoughtTerm): string => {
    if (!isBeginning) return term(text);
    return endings === undefined ? termsFrom(text) : anyOf(endings.map(term));
  };
  return allOf(sought.map((alternatives) => anyOf(alternatives.map(oneOf))));
};

/** Keeps the index in step with the rows; the ledger asks for it. */
export const createSearchIndex = ({ build }: Pick<Database, 'build'>) => {
  const id = slot<string>('id');
  const insertTerms = template<{ id: string }>(
    build
      .insertInto('fileSearch')
      .columns(['rowid', 'terms'])
      .expression(
        build
          .selectFrom('files')
          .select(['files.position', termsOfRow.as('terms')])
          .where('files.id', '=', id),
      ),
  );
  const removeTerms = template<{ id: string }>(
    build.deleteFrom('fileSearch').where('rowid', '=', build.selectFrom('files').select('files.position').where('files.id', '=', id)),
  );
  return {
    enter: (fileId: string): Write[] => [insertTerms.row({ id: fileId })],
    leave: (fileId: string): Write[] => [removeTerms.row({ id: fileId })],
  };
};
