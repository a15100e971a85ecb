import { describe, expect, it } from 'vitest';
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
});
