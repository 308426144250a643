/// Objects that are known by their names: sites, groups, NASes, profiles. The server's description says of their lists only that
/// they are objects; here stands what is in them.
import type { Schemas } from './client';

export type Named<T> = T & {
  name: string;
  /// Whether it is in the database, and can be changed here, or in the server's file.
  home: 'database' | 'file';
};

export interface NamedPage<T> {
  items: Named<T>[];
  next: string | null;
}

export type Profile = Named<Schemas['Profile']>;
export type NasObject = Named<Schemas['Nas']> & { has_secret?: boolean };
export type Compliance = Named<Schemas['CompliancePolicy']>;

/// An answer as what it is.
export const objects = async <T>(asked: Promise<unknown>): Promise<NamedPage<T>> => (await asked) as NamedPage<T>;
