// The guestbook's one page as a string.

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text) => String(text).replace(/[&<>"']/g, (character) => escapes[character]);

export function page({ greetings, instance, problem }) {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Guestbook</title>
    <link rel="stylesheet" href="/static/guestbook.css">
  </head>
  <body>
    <main>
      <h1>Guestbook</h1>
      ${problem ? `<p class="problem" role="alert">${escape(problem)}</p>` : ''}
      <form action="/sign" method="post">
        <label for="author">Name</label>
        <input id="author" name="author" maxlength="100" autocomplete="name">
        <label for="content">Greeting</label>
        <textarea id="content" name="content" rows="3" maxlength="5000" required></textarea>
        <button type="submit">Sign</button>
      </form>
      <h2>Latest greetings</h2>
      ${greetings.length === 0 ? '<p class="empty">Nobody has signed yet. Be the first.</p>' : `<ol>${greetings.map(greetingItem).join('')}</ol>`}
    </main>
    <footer>Version <code>${escape(instance.version)}</code>, instance <code>${escape(instance.instanceId)}</code></footer>
  </body>
</html>
`;
}

function greetingItem({ author, content, date }) {
  const iso = date.toISOString();
  return `
        <li>
          <p class="content">${escape(content)}</p>
          <p class="by"><b>${escape(author)}</b> <time datetime="${iso}">${iso.slice(0, 16).replace('T', ' ')} UTC</time></p>
        </li>`;
}
