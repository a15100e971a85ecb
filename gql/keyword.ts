// The reserved words of both dialects. Source: the GQL references of Cloud Datastore and of App Engine's Python SDK.
import { type GqlDialect } from './ast.ts';

const words = (list: string): ReadonlySet<string> => new Set(list.trim().split(/\s+/));

const CLOUD = words(`
  AGGREGATE ALL ANCESTOR AND ANY AS ASC AVG BETWEEN BINARY BY CHILD CONTAINS COUNT COUNT_UP_TO CURSOR DESC DESCENDANT
  DISTINCT DIV EXISTS FALSE FROM GROUP HAS HAVING IN IS JOIN LIKE LIMIT MOD NOT NULL OFFSET ON OR ORDER PARENT REGEXP
  RLIKE SELECT SUBSET SUM SUPERSET TRUE WHERE XOR
`);

const PYTHON = words(`
  SELECT DISTINCT FROM WHERE IN ANCESTOR IS AND OR NOT ORDER BY ASC DESC GROUP LIMIT OFFSET HINT
  ORDER_FIRST FILTER_FIRST ANCESTOR_FIRST
`);

/** Whether the word cannot stand as a name unless it is quoted. */
export function isReserved(word: string, dialect: GqlDialect): boolean {
  return (dialect === 'cloud' ? CLOUD : PYTHON).has(canonicalWord(word));
}

/** Upper case if all letters are ASCII, else as it is: "ſelect" has an upper case of SELECT but is a name. */
export function canonicalWord(word: string): string {
  return /^[\w$]+$/.test(word) ? word.toUpperCase() : word;
}
