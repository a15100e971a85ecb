// A real browser for the suites of this folder; without one they are skipped by name, and say how to install it.
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { type FakeAdminApi } from './fake-admin-api.ts';

const PROGRAM = '/usr/bin/chromium';

/** Undefined when there is a browser; else why the suites are skipped. */
export function chromiumSkip(): string | undefined {
  if (existsSync(PROGRAM)) return undefined;
  const why = `${PROGRAM} is missing. To install it: apt-get install -y --no-install-recommends chromium`;
  console.warn(`SKIPPED: suites that need a browser. ${why}`);
  return why;
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: PROGRAM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

export interface ContextOptions {
  readonly scheme?: 'light' | 'dark';
  readonly width?: number;
}

/** A browser of its own that has signed in already. */
export async function signedIn(
  browser: Browser,
  api: FakeAdminApi,
  address: string,
  options: ContextOptions = {},
): Promise<BrowserContext> {
  const context = await browser.newContext({
    baseURL: address,
    colorScheme: options.scheme ?? 'light',
    viewport: { width: options.width ?? 1280, height: 900 },
    reducedMotion: 'reduce',
    locale: 'en-GB',
    timezoneId: 'Europe/Zurich',
  });
  await context.addCookies([{ ...api.sessionCookie, url: address }]);
  return context;
}

/** Everything that a page complains of: errors, and what its content security policy refused. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(`${message.type()}: ${message.text()}`);
  });
  return complaints;
}
