// Signing in to an app as a browser does it: its cookies, its Origin and Sec-Fetch headers, its content security policy.
import { AxeBuilder } from '@axe-core/playwright';
import { type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { HttpFront } from '../hostile/http-front.ts';
import { chromiumSkip, complaintsOf, launchChromium } from './chromium.ts';

const skip = chromiumSkip();
const PHONE = { width: 375, height: 667 };
const HANDLERS = [
  { kind: 'script', url: '/account.*', login: 'required' },
  { kind: 'script', url: '/admin.*', login: 'admin' },
  { kind: 'script', url: '/.*' },
] as const;

describe.skipIf(skip !== undefined)('signing in to an app', () => {
  let front: HttpFront;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  const address = (app: string, path: string): string => `http://${app}.localhost:${front.port}${path}`;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());

  beforeEach(async () => {
    front = await HttpFront.start({ version: { handlers: HANDLERS }, apps: ['hello', 'other'] });
    front.accounts.byEmail.set('ada@example.com', {
      userId: '11',
      email: 'ada@example.com',
      isAdmin: false,
      epoch: 1,
      password: 'difference',
    });
    await front.app((request, response) => {
      const email = String(request.headers['x-appengine-user-email'] ?? '');
      const foreign = new URL(`http://${request.headers.host}${request.url}`).searchParams.get('picture');
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(
        `<title>App</title><h1>Hello ${email === '' ? 'stranger' : email}</h1><a href="/_ah/logout?continue=/bye">Sign out</a>` +
          (foreign === null ? '' : `<img alt="" src="${foreign}">`),
      );
    });
    context = await browser.newContext({ viewport: PHONE });
    page = await context.newPage();
    complaints = complaintsOf(page);
  });
  afterEach(async () => {
    await context.close();
    await front.close();
  });

  const fillIn = async (password: string): Promise<void> => {
    await page.getByLabel('E-mail address').fill('ada@example.com');
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
  };
  const heading = (): Promise<string> => page.getByRole('heading', { level: 1 }).innerText();

  test('leads to the page that was asked for, by keyboard alone', async () => {
    await page.goto(address('hello', '/account?tab=1'));
    expect(new URL(page.url()).pathname).toBe('/_ah/login');
    // The browser moves the focus there when it first draws, which may come after the load event.
    await page.locator('#email:focus').waitFor();
    await page.keyboard.type('ada@example.com');
    await page.keyboard.press('Tab');
    await page.keyboard.type('difference');
    await page.keyboard.press('Enter');
    await page.waitForURL(address('hello', '/account?tab=1'));
    expect(await heading()).toBe('Hello ada@example.com');
    const cookies = await context.cookies();
    expect(cookies).toMatchObject([{ name: 'appengine-session', domain: 'hello.localhost', httpOnly: true, sameSite: 'Lax', path: '/' }]);
    expect(await page.evaluate('document.cookie')).toBe('');
    await page.goto(address('other', '/'));
    expect(await heading()).toBe('Hello stranger');
    expect(complaints).toEqual([]);
  });

  test('says what was wrong, and goes on from there', async () => {
    await page.goto(address('hello', '/account'));
    await fillIn('wrong');
    expect(await page.getByRole('alert').innerText()).toContain('The e-mail address or the password is wrong');
    expect(await page.getByLabel('E-mail address').inputValue()).toBe('ada@example.com');
    await fillIn('difference');
    await page.waitForURL(address('hello', '/account'));
    const refused = await page.goto(address('hello', '/admin'));
    expect([refused?.status(), await heading()]).toEqual([403, 'This page is for administrators of the app']);
    expect(await page.locator('main').innerText()).toContain('Sign out at /_ah/logout');
  });

  test('signs out by a link of the app’s own, and not by a picture elsewhere', async () => {
    await page.goto(address('hello', '/_ah/login?continue=/account'));
    await fillIn('difference');
    await page.waitForURL(address('hello', '/account'));

    const picture = encodeURIComponent(address('hello', '/_ah/logout?continue=/'));
    await page.goto(address('other', `/?picture=${picture}`), { waitUntil: 'networkidle' });
    await page.goto(address('hello', `/?picture=${picture}`), { waitUntil: 'networkidle' });
    await page.goto(address('hello', '/account'));
    expect(await heading()).toBe('Hello ada@example.com');

    await page.goto(address('other', '/'));
    await page.evaluate(`location.href = ${JSON.stringify(address('hello', '/_ah/logout?continue=/bye'))}`);
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
    await page.goto(address('hello', '/account'));
    await page.getByRole('link', { name: 'Sign out' }).click();
    await page.waitForURL(address('hello', '/bye'));
    expect(await heading()).toBe('Hello stranger');
  });

  test('signs out by the page that asks', async () => {
    await page.goto(address('hello', '/_ah/login?continue=/account'));
    await fillIn('difference');
    await page.waitForURL(address('hello', '/account'));
    await page.goto(address('other', '/'));
    await page.evaluate(`location.href = ${JSON.stringify(address('hello', '/_ah/logout?continue=/bye'))}`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL(address('hello', '/bye'));
    expect(await heading()).toBe('Hello stranger');
    expect(complaints).toEqual([]);
  });

  test('a form of another app signs nobody in', async () => {
    await page.goto(address('hello', '/_ah/login'));
    const token = await page.locator('input[name=form_token]').getAttribute('value');
    await page.goto(address('other', '/'));
    const fields = { continue: '/', form_token: token ?? '', email: 'ada@example.com', password: 'difference' };
    await page.evaluate(
      `(() => {
        const form = Object.assign(document.createElement('form'), { method: 'post', action: ${JSON.stringify(address('hello', '/_ah/login'))} });
        for (const [name, value] of Object.entries(${JSON.stringify(fields)})) form.append(Object.assign(document.createElement('input'), { name, value }));
        document.body.append(form);
        form.submit();
      })()`,
    );
    await page.getByRole('alert').waitFor();
    expect(front.accounts.forms).toEqual([]);
  });

  test.each(['light', 'dark'] as const)('has pages for everybody at 375 pixels, %s', async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    await page.goto(address('hello', '/_ah/login'));
    for (const act of [() => Promise.resolve(), () => fillIn('wrong')]) {
      await act();
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    }
  });
});
