// The photo album: an ordinary Express app. 'appengine' is provided by the platform and needs no installing.
import { appIdentity, mail, PlatformError, users } from 'appengine';
import express from 'express';
import { addPhoto, deletePhoto, newestPhotos, photoById, pictureOf } from './album.js';
import { albumPage, messagePage, photoPage } from './page.js';
import { picturesOf } from './pictures.js';
import { readUpload, titleOf, UploadError, uploadOf } from './upload.js';

const app = express();
app.disable('x-powered-by');
app.set('query parser', 'simple');
app.use((request, response, next) => {
  response.set({
    'Content-Security-Policy':
      "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'same-origin',
  });
  next();
});
// Apps of one domain are one site to browsers, cookies and all: a form of another app must not act for its reader here.
app.post('/{*path}', (request, response, next) => {
  const { origin, host } = request.headers;
  if (origin === undefined || (URL.canParse(origin) && new URL(origin).host === host)) return next();
  response.status(403).send(messagePage({ title: 'That did not work', text: 'The form came from another page.' }));
});
// Names of photos are numbers; nothing else reaches the datastore.
app.param('id', (request, response, next, id) => next(/^[1-9]\d{0,18}$/.test(id) ? undefined : 'route'));

app.get('/', async (request, response) => {
  const { photos, isCached } = await newestPhotos();
  // Who looks at the headers sees the cache at work.
  response.set('X-Album-Cache', isCached ? 'hit' : 'miss');
  response.send(albumPage({ photos, visitor: await visitorOf(request) }));
});

app.post('/photos', readUpload, async (request, response) => {
  const { bytes, title } = await uploadOf(request);
  const pictures = await picturesOf(bytes);
  const user = users.currentUser(request);
  const id = await addPhoto({
    title: title || 'Untitled',
    author: user?.nickname ?? 'Somebody',
    authorId: user?.userId ?? null,
    ...pictures,
  });
  if (request.is('multipart/form-data')) response.redirect(303, `/photos/${id}`);
  else
    response
      .status(201)
      .location(`/photos/${id}`)
      .json({ id, title, thumbnail: `/photos/${id}/thumbnail.jpg`, picture: `/photos/${id}/full.jpg` });
});

app.get('/photos/:id', async (request, response, next) => {
  const photo = await photoById(request.params.id);
  if (!photo) return next();
  const isSent = request.query.sent === '1';
  response.send(
    photoPage({
      photo,
      visitor: await visitorOf(request),
      notice: isSent ? 'The photo is on its way.' : '',
      mayDelete: mayDelete(request, photo),
    }),
  );
});

app.get('/photos/:id/:size.jpg', async (request, response, next) => {
  const { id, size } = request.params;
  const image = ['full', 'thumbnail'].includes(size) ? await pictureOf(id, size) : undefined;
  if (!image) return next();
  // A photo never changes; it can only go.
  response.set({ 'Content-Type': 'image/jpeg', 'Cache-Control': 'public, max-age=86400, immutable' });
  response.send(Buffer.from(image));
});

app.post('/photos/:id/share', express.urlencoded({ extended: false, limit: '4kb' }), async (request, response, next) => {
  const user = users.currentUser(request);
  const photo = await photoById(request.params.id);
  if (!photo) return next();
  const { to } = request.body ?? {};
  if (typeof to !== 'string' || to.trim() === '') throw new UploadError('Say to whom the photo is to be sent.');
  const image = Buffer.from(await pictureOf(photo.id, 'full'));
  const { defaultVersionHostname } = await appIdentity.get();
  await mail.send({
    from: process.env.MAIL_FROM ?? `Photo album <photos@${defaultVersionHostname}>`,
    replyTo: user.email,
    to: to.trim(),
    subject: `A photo from ${user.nickname}: ${photo.title}`,
    text: `${user.nickname} sends you the photo "${photo.title}" from the photo album.\n`,
    attachments: [{ name: 'photo.jpg', content: image, contentType: 'image/jpeg' }],
  });
  response.redirect(303, `/photos/${photo.id}?sent=1`);
});

app.post('/photos/:id/delete', async (request, response, next) => {
  const photo = await photoById(request.params.id);
  if (!photo) return next();
  if (!mayDelete(request, photo)) {
    response
      .status(403)
      .send(messagePage({ title: 'This is not your photo', text: 'Only who added it, or an administrator, may delete it.' }));
    return;
  }
  await deletePhoto(photo.id);
  response.redirect(303, '/');
});

app.use((request, response) => {
  response.status(404).send(messagePage({ title: 'There is nothing here', text: 'The photo may have been deleted.' }));
});

app.use((error, request, response, next) => {
  if (response.headersSent) return next(error);
  const { status, text } = explain(error);
  if (status >= 500) console.error(error);
  response.status(status).send(messagePage({ title: 'That did not work', text }));
});

app.listen(process.env.PORT, () => console.log('The album is open.'));

async function visitorOf(request) {
  const user = users.currentUser(request);
  const here = titleOf(request.path);
  return user
    ? { name: user.nickname, url: await users.logoutUrl('/'), word: 'Sign out' }
    : { name: undefined, url: await users.loginUrl(here), word: 'Sign in' };
}

function mayDelete(request, { authorId }) {
  const user = users.currentUser(request);
  return user !== undefined && (user.isAdmin || user.userId === authorId);
}

/** What went wrong, for people; what they cannot help stays in the log. */
function explain(error) {
  if (error instanceof UploadError) return { status: 400, text: error.message };
  if (error.type === 'entity.too.large') return { status: 413, text: 'The picture is larger than 8 MB.' };
  if (error instanceof PlatformError) {
    if (error.code === 'IMAGE_INVALID')
      return { status: 400, text: 'This is no picture that can be read. Try a JPEG, PNG, WebP, GIF, TIFF or AVIF.' };
    if (error.code === 'IMAGE_TOO_LARGE') return { status: 413, text: 'The picture has too many pixels.' };
    if (error.code === 'MAIL_ADDRESS_INVALID') return { status: 400, text: 'This is no mail address.' };
    if (error.code === 'QUOTA_EXCEEDED')
      return { status: 503, text: 'The album has used up what it may today. Please come back tomorrow.' };
  }
  const { status } = error;
  if (typeof status === 'number' && status >= 400 && status < 500) return { status, text: 'The request cannot be understood.' };
  return { status: 500, text: 'The album cannot be reached just now. Please try again.' };
}
