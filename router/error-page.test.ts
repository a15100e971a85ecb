import { describe, expect, it } from 'vitest';
import { AppErrorPages } from './app-error-pages.ts';
import { errorAnswer } from './error-page.ts';

describe('errorAnswer', () => {
  it('escapes, loads nothing from elsewhere, and allows only its own style', () => {
    const { headers, body } = errorAnswer('ROUTE_UNKNOWN_HOST', '<script>', 'text/html');
    const html = body.toString();
    expect(html).not.toContain('<script>');
    expect(html).not.toMatch(/(?:src|href)=|url\(|@import/);
    expect(html).toContain('prefers-color-scheme:dark');
    expect(html).toContain('name="viewport"');
    expect(headers[headers.indexOf('Content-Security-Policy') + 1]).toMatch(/^default-src 'none'; style-src 'sha256-/);
    expect(headers[headers.indexOf('Content-Length') + 1]).toBe(String(body.length));
  });

  it('shows why an app did not start only with a report, escaped, before the app’s own page', () => {
    const report = { reason: 'exited with code 1', output: 'Error: <script>alert(1)</script>\n    at app.js:3' };
    const pages = new AppErrorPages([{ cause: 'default', mimeType: 'text/html', content: Buffer.from('OWN') }]);
    const html = errorAnswer('INSTANCE_EXITED', 'id', 'text/html', {}, pages, report).body.toString();
    expect(html).toContain('<p>exited with code 1</p>');
    expect(html).toContain('<pre>Error: &lt;script&gt;alert(1)&lt;/script&gt;\n    at app.js:3</pre>');
    expect(html).not.toMatch(/<script|OWN/);
    const json = JSON.parse(errorAnswer('INSTANCE_EXITED', 'id', undefined, {}, pages, report).body.toString()) as unknown;
    expect(json).toMatchObject({ error: { code: 'INSTANCE_EXITED', details: report } });
    expect(errorAnswer('INSTANCE_EXITED', 'id', 'text/html', {}, pages).body.toString()).toBe('OWN');
  });
});
