import type { FileRow } from '../../database/tables.ts';
import { toRfc3339 } from '../../foundation/clock.ts';
import { isThumbnailable } from './thumbnails/thumbnail-maker.ts';

/** A file as callers see it. */
export interface FileResource {
  readonly id: string;
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly category?: string;
  readonly language?: string;
  readonly provider?: string;
  readonly roles: string[];
  readonly folderId?: string;
  readonly visibility: FileRow['visibility'];
  readonly type: string;
  readonly size: number;
  readonly sha256: string;
  readonly state: FileRow['state'];
  readonly reason?: string;
  readonly owner: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly url?: string;
  readonly thumbnailUrl?: string;
}

/** The path of a public file. Its last part must be the name, so that nobody fills caches by others. */
const publicPathOf = ({ id, name }: Pick<FileRow, 'id' | 'name'>): string => `/p/${id}/${encodeURIComponent(name)}`;

const given = <Name extends string>(name: Name, value: string | null): { [Key in Name]?: string } =>
  value === null ? {} : ({ [name]: value } as { [Key in Name]: string }); // one member, by its name

/** `baseUrl` is how the world reaches us (`PUBLIC_URL`, else the address of the request); without it addresses are paths. */
export const resourceOf = (row: Omit<FileRow, 'position' | 'words'>, baseUrl = ''): FileResource => ({
  id: row.id,
  name: row.name,
  ...given('title', row.title),
  ...given('description', row.description),
  ...given('category', row.category),
  ...given('language', row.language),
  ...given('provider', row.provider),
  roles: JSON.parse(row.rolesJson),
  ...given('folderId', row.folderId),
  visibility: row.visibility,
  type: row.type,
  size: row.size,
  sha256: row.sha256,
  state: row.state,
  ...given('reason', row.reason),
  owner: row.ownerId,
  createdAt: toRfc3339(row.createdAt),
  updatedAt: toRfc3339(row.updatedAt),
  ...(row.visibility === 'public' && row.state === 'stored' ? { url: `${baseUrl}${publicPathOf(row)}` } : {}),
  ...(row.state === 'stored' && isThumbnailable(row.type) ? { thumbnailUrl: `${baseUrl}/v1/files/${row.id}/thumbnail` } : {}),
});
