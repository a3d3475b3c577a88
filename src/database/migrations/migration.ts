/** One step of the schema. Steps are numbered without gaps and never changed once released. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly statements: readonly string[];
}
