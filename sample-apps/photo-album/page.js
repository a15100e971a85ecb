// The album's pages as strings. Whatever comes from people goes through `escape`.
const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text) => String(text).replace(/[&<>"']/g, (character) => escapes[character]);
const day = (iso) => `<time datetime="${escape(iso)}">${escape(iso.slice(0, 10))}</time>`;

export function albumPage({ photos, visitor }) {
  const list =
    photos.length === 0
      ? '<p class="empty">No photos yet. Add the first one.</p>'
      : `<ul class="grid">${photos.map(thumbnail).join('')}</ul>`;
  return page({
    title: 'Photo album',
    visitor,
    body: `
      <form class="card upload" action="/photos" method="post" enctype="multipart/form-data">
        <div>
          <label for="photo">Photo</label>
          <input id="photo" name="photo" type="file" accept="image/*" required aria-describedby="photo-hint">
          <p id="photo-hint" class="hint">JPEG, PNG, WebP, GIF, TIFF or AVIF, at most 8 MB</p>
        </div>
        <div>
          <label for="title">Title</label>
          <input id="title" name="title" maxlength="100">
        </div>
        <button type="submit">Add</button>
      </form>
      <h2>Newest photos</h2>
      ${list}`,
  });
}

function thumbnail({ id, title, author, at }) {
  return `
        <li>
          <a href="/photos/${escape(id)}">
            <img src="/photos/${escape(id)}/thumbnail.jpg" alt="" width="320" height="320" loading="lazy">
            <span class="title">${escape(title)}</span>
          </a>
          <p class="hint">${escape(author)}, ${day(at)}</p>
        </li>`;
}

export function photoPage({ photo, visitor, notice, mayDelete }) {
  const { id, title, author, at, width, height } = photo;
  const share = visitor.name
    ? `
      <form class="card share" action="/photos/${escape(id)}/share" method="post">
        <div>
          <label for="to">Send it to</label>
          <input id="to" name="to" type="email" maxlength="200" required autocomplete="email">
        </div>
        <button type="submit">Send</button>
      </form>`
    : `<p class="hint"><a href="${escape(visitor.url)}">Sign in</a> to send this photo by mail.</p>`;
  const remove = mayDelete
    ? `
      <form action="/photos/${escape(id)}/delete" method="post"><button class="quiet" type="submit">Delete this photo</button></form>`
    : '';
  return page({
    title,
    visitor,
    body: `
      ${notice === '' ? '' : `<p class="notice" role="status">${escape(notice)}</p>`}
      <img class="full" src="/photos/${escape(id)}/full.jpg" alt="${escape(title)}" width="${escape(width)}" height="${escape(height)}">
      <p class="hint">${escape(author)}, ${day(at)}</p>
      ${share}${remove}
      <p><a href="/">All photos</a></p>`,
  });
}

export function messagePage({ title, text }) {
  return page({ title, body: `<p role="alert">${escape(text)}</p><p><a href="/">All photos</a></p>` });
}

function page({ title, visitor, body }) {
  const who = visitor
    ? `<p>${visitor.name ? `${escape(visitor.name)} ` : ''}<a href="${escape(visitor.url)}">${escape(visitor.word)}</a></p>`
    : '';
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${escape(title)}</title>
    <link rel="icon" href="/static/album.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/static/album.css">
  </head>
  <body>
    <header>
      <h1>${escape(title)}</h1>
      ${who}
    </header>
    <main>${body}
    </main>
  </body>
</html>
`;
}
