// Mail's HTML made fit for a sandboxed frame. The sandbox runs no script in any case, and a frame made of text stands under
// the policy of the page that shows it, which refuses styles without its nonce and everything remote. So styles get the
// nonce, what would be refused is taken out, and the reader is told how much of it was remote.

export interface MailDocument {
  readonly html: string;
  /** Pictures and styles of other sites, which would tell them that the mail was read. */
  readonly remoteParts: number;
}

const DROPPED = 'script, link, meta, base, iframe, frame, object, embed, applet, form, input, button, textarea, select, video, audio';
const ASIDE = 'data-aside-';
const isData = (address: string): boolean => /^data:image\//i.test(address.trim());

/**
 * Renames what the browser complains of already while it parses: styles and handlers. It keeps the browser's console
 * quiet and no more; where it misses something, the policy drops it all the same.
 */
function setAside(html: string): string {
  return html
    .replace(/<(\/?)style\b/gi, '<$1xmp')
    .replace(/<[a-z][^>]*>/gi, (tag) =>
      tag.replace(/([\s"'])(style|on[a-z]+)(\s*=)/gi, (_, before: string, name: string, is: string) => `${before} ${ASIDE}${name}${is}`),
    );
}

/** `nonce` is that of the page that shows the frame. */
export function mailDocument(html: string, nonce: string): MailDocument {
  const document = new DOMParser().parseFromString(setAside(html), 'text/html');
  let remoteParts = document.querySelectorAll('link[rel~="stylesheet"], iframe, video, audio').length;
  for (const element of document.querySelectorAll(DROPPED)) element.remove();

  const css: string[] = [];
  for (const sheet of document.querySelectorAll('xmp, style')) {
    css.push(sheet.textContent.replace(/<!--|-->/g, ''));
    sheet.remove();
  }
  for (const element of document.querySelectorAll('*')) {
    const style = element.getAttribute(`${ASIDE}style`);
    for (const { name } of [...element.attributes]) {
      if (name.startsWith(ASIDE) || /^(on.*|style|srcset|background|ping|formaction|srcdoc|nonce|target)$/i.test(name))
        element.removeAttribute(name);
    }
    const source = element.getAttribute('src');
    if (source !== null && !isData(source)) {
      remoteParts += 1;
      element.removeAttribute('src');
    }
    if (style !== null) {
      element.setAttribute('data-styled', String(css.length));
      css.push(`[data-styled="${css.length}"]{${style.replace(/[{}]/g, '')}}`);
    }
  }
  const local = css
    .join('\n')
    .replace(/@import[^;]*;?|url\(\s*(['"]?)(?!data:image\/)[^)]*\)/gi, (part) => {
      remoteParts += 1;
      return part.startsWith('@') ? '' : 'none';
    })
    .replaceAll('</', '');

  const policy = `default-src 'none'; img-src data:; style-src 'nonce-${nonce}'`;
  const head =
    `<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">` +
    `<style nonce="${nonce}">body{margin:16px;font:14px/1.5 system-ui,sans-serif;background:#fff;color:#1f2530;overflow-wrap:anywhere}img{max-width:100%}</style>` +
    `<style nonce="${nonce}">${local}</style>`;
  return { html: `<!doctype html><html><head>${head}</head>${document.body.outerHTML}</html>`, remoteParts };
}
