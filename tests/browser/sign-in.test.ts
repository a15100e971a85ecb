import { type Browser, type BrowserContext } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chromiumSkip, complaintsOf, launchChromium } from './chromium.ts';
import { FakeAdminApi, SIGN_IN_CODE } from './fake-admin-api.ts';

const skip = chromiumSkip();

describe.skipIf(skip !== undefined)('signing in', () => {
  let api: FakeAdminApi;
  let address: string;
  let browser: Browser;
  let context: BrowserContext;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    api = new FakeAdminApi();
    address = await api.start();
    context = await browser.newContext({ baseURL: address });
  });
  afterEach(async () => {
    await context.close();
    await api.close();
  });

  test('the one-time link leads to the apps, and its code leaves the address', async () => {
    const page = await context.newPage();
    const complaints = complaintsOf(page);
    await page.goto(`/sign-in#code=${SIGN_IN_CODE}`);
    await page.getByRole('heading', { name: 'Apps' }).waitFor();
    expect(page.url()).toBe(`${address}/`);
    await page.goBack().catch(() => null);
    expect(page.url()).not.toContain(SIGN_IN_CODE);
    expect(complaints).toEqual([]);
  });

  test('a stranger sees how to get a link, and comes back to the page that was asked for', async () => {
    const page = await context.newPage();
    await page.goto('/apps/guestbook/queues');
    await page.getByText('npx appengine console').waitFor();
    expect(new URL(page.url()).pathname).toBe('/sign-in');
    await page.getByLabel('Or paste the link here').fill(`${address}/sign-in#code=${SIGN_IN_CODE}`);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL('**/apps/guestbook/queues');
  });

  test('a link that was used says so and how to get another', async () => {
    const page = await context.newPage();
    await page.goto('/sign-in#code=stale');
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.innerText()).toContain('The sign-in link was used or is too old');
    expect(await alert.innerText()).toContain('npx appengine console');
    expect(page.url()).not.toContain('stale');
  });

  test('a place elsewhere is not gone to after signing in', async () => {
    const page = await context.newPage();
    await page.goto(`/sign-in?next=${encodeURIComponent('//evil.example/')}#code=${SIGN_IN_CODE}`);
    await page.getByRole('heading', { name: 'Apps' }).waitFor();
    expect(page.url()).toBe(`${address}/`);
  });

  test('signing out ends the session everywhere', async () => {
    const page = await context.newPage();
    await page.goto(`/sign-in#code=${SIGN_IN_CODE}`);
    await page.getByRole('button', { name: 'Signed in as owner' }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByText('npx appengine console').waitFor();
    await page.goto('/accounts');
    await page.getByText('npx appengine console').waitFor();
  });
});
