import { json, type Request, type RequestHandler } from 'express';
import { type z } from 'zod';
import { PlatformError } from '../sdk/contract/errors.ts';

/** Reads a JSON body of at most `bytesMax`. Any other content type leaves the body empty: forms of foreign pages do not count. */
export function jsonBody(bytesMax: number): RequestHandler {
  return json({ limit: bytesMax, inflate: false, strict: true });
}

/** The body as `schema` wants it. Throws INVALID_ARGUMENT naming the field. */
export function bodyOf<T>(schema: z.ZodType<T>, request: Request): T {
  return checked(schema, request.body, 'the body');
}

/** The query's parameters as `schema` wants them. Throws INVALID_ARGUMENT naming the parameter. */
export function queryOf<T>(schema: z.ZodType<T>, request: Request): T {
  return checked(schema, request.query, 'the query');
}

function checked<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.map(String).join('.') ?? '';
  throw new PlatformError('INVALID_ARGUMENT', `${field === '' ? what : `"${field}"`}: ${issue?.message ?? 'does not fit'}`);
}
