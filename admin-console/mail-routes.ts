import { type Response, Router } from 'express';
import { z } from 'zod';
import { PlatformError } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { queryOf } from './json-body.ts';
import { type AppsApi, type MailApi } from './ports.ts';

const LIST_DEFAULT = 50;
const MAIL_ID = /^[0-9a-z]{9}-[0-9a-f]{12}$/;

const listQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^[1-9]\d{0,3}$/, 'a number of messages')
    .transform(Number)
    .refine((value) => value <= LIMITS.mailListMax, `at most ${LIMITS.mailListMax} messages`)
    .default(LIST_DEFAULT),
});

export function mailRoutes(apps: AppsApi, mail: MailApi): Router {
  const router = Router();
  router.use('/apps/:app/mail', async (request, _response, next) => {
    await apps.app(request.params.app);
    next();
  });
  router.param('mail', (_request, _response, next, id: unknown) => {
    if (!MAIL_ID.test(String(id))) throw new PlatformError('MAIL_NOT_FOUND', 'ids are as the list shows them');
    next();
  });
  router.get('/apps/:app/mail', async (request, response) => {
    const { limit } = queryOf(listQuery, request);
    response.json({ messages: await mail.list(request.params.app, limit) });
  });
  router.get('/apps/:app/mail/:mail', async (request, response) => {
    response.json(await mail.show(request.params.app, request.params.mail));
  });
  router.get('/apps/:app/mail/:mail/raw', async (request, response) => {
    const { app, mail: id } = request.params;
    download(response, 'message/rfc822', `${id}.eml`, await mail.raw(app, id));
  });
  router.get('/apps/:app/mail/:mail/attachments/:index', async (request, response) => {
    const { app, mail: id, index } = request.params;
    if (!/^\d{1,3}$/.test(index)) throw new PlatformError('MAIL_NOT_FOUND', 'attachments are counted from 0');
    const { name, bytes } = await mail.attachment(app, id, Number(index));
    download(response, 'application/octet-stream', name, bytes);
  });
  router.delete('/apps/:app/mail/:mail', async (request, response) => {
    await mail.delete(request.params.app, request.params.mail);
    response.json({});
  });
  return router;
}

/** Bytes that an app wrote must never be shown as a page of the console: they are saved, whatever they say they are. */
function download(response: Response, contentType: string, name: string, bytes: Uint8Array): void {
  response.attachment(name);
  response.set({
    'Content-Type': contentType,
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'; sandbox",
  });
  response.end(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}
