// Mail's HTML made fit for a sandboxed frame. The sandbox runs no script in any case; this takes out what the frame's
// policy would refuse, so that what is left looks as it was meant, and says how many remote things were left out.

export interface MailDocument {
  readonly html: string;
  /** Pictures and styles of other sites, which would tell them that the mail was read. */
  readonly remoteParts: number;
}

const DROPPED =
  'script, link, meta, base, iframe, frame, object, embed, applet, form, input, button, textarea, select, video, audio, source, track';
const isData = (address: string): boolean => /^data:image\//i.test(address.trim());

/** `nonce` is that of the page: a frame made of text stands under the policy of the page that shows it. */
export function mailDocument(html: string, nonce: string): MailDocument {
  const document = new DOMParser().parseFromString(html, 'text/html');
  let remoteParts = document.querySelectorAll('link[rel~="stylesheet"], iframe, video, audio').length;
  for (const element of document.querySelectorAll(DROPPED)) element.remove();

  const rules: string[] = [];
  for (const element of document.querySelectorAll('*')) {
    for (const { name } of [...element.attributes]) {
      if (/^on|^(srcset|background|ping|formaction|srcdoc|nonce|target)$/i.test(name)) element.removeAttribute(name);
    }
    const source = element.getAttribute('src');
    if (source !== null && !isData(source)) {
      remoteParts += 1;
      element.removeAttribute('src');
    }
    // A style attribute would be refused; the same as a rule of a style sheet with the nonce is not.
    const style = element.getAttribute('style');
    if (style !== null) {
      element.removeAttribute('style');
      element.setAttribute('data-styled', String(rules.length));
      rules.push(`[data-styled="${rules.length}"]{${style.replace(/[{}<]/g, '')}}`);
    }
  }
  const sheets = [...document.querySelectorAll('style')].map((sheet) => {
    sheet.remove();
    return sheet.textContent;
  });
  const css = [...sheets, ...rules].join('\n');
  const local = css.replace(/@import[^;]*;?|url\(\s*(['"]?)(?!data:image\/)[^)]*\)/gi, () => {
    remoteParts += 1;
    return 'none';
  });

  const policy = `default-src 'none'; img-src data:; style-src 'nonce-${nonce}'`;
  const head =
    `<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">` +
    `<style nonce="${nonce}">body{margin:16px;font:14px/1.5 system-ui,sans-serif;background:#fff;color:#1f2530;overflow-wrap:anywhere}img{max-width:100%}</style>` +
    `<style nonce="${nonce}">${local.replaceAll('</', '<\\/')}</style>`;
  return { html: `<!doctype html><html><head>${head}</head>${document.body.outerHTML}</html>`, remoteParts };
}
