import { type ErrorRequestHandler, type RequestHandler } from 'express';
import { errorBody, PlatformError, toPlatformError } from '../sdk/contract/errors.ts';
import { type Log } from '../sdk/support/log.ts';

/** Nothing is here. */
export const notFound: RequestHandler = (request, _response, next) => {
  next(new PlatformError('NOT_FOUND', `${request.method} ${request.path.slice(0, 200)}`));
};

/** Every failure as `{ error: ErrorBody }` with its row's status; what is not a PlatformError is logged and stays inside. */
export function errorAnswer(log: Log): ErrorRequestHandler {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- Express knows error handlers by their fourth parameter
  return (thrown: unknown, request, response, _next) => {
    const error = platformErrorOf(thrown);
    if (error.code === 'INTERNAL')
      log.error('A call of the admin API failed', { method: request.method, path: request.path, error: thrown });
    if (response.headersSent) {
      // Half an answer cannot be taken back: the reader sees that it was cut off.
      response.destroy();
      return;
    }
    response
      .status(error.row.httpStatus)
      .set('Cache-Control', 'no-store')
      .json({ error: errorBody(error) });
  };
}

/** Express and its body parser throw errors with a status of their own. */
function platformErrorOf(thrown: unknown): PlatformError {
  if (thrown instanceof PlatformError || !(thrown instanceof Error)) return toPlatformError(thrown);
  const { status, type } = thrown as { readonly status?: unknown; readonly type?: unknown };
  if (status === 413) return new PlatformError('BODY_TOO_LARGE', undefined, { cause: thrown });
  if (typeof status === 'number' && status >= 400 && status < 500) {
    const reason = type === 'entity.parse.failed' ? 'the body is not JSON' : 'the request is malformed';
    return new PlatformError('INVALID_ARGUMENT', reason, { cause: thrown });
  }
  return toPlatformError(thrown);
}
