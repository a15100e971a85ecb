// Every page at every width in both colour schemes: it says nothing on the console, breaks no policy, fits its width, and axe finds nothing.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AxeBuilder } from '@axe-core/playwright';
import { type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumSkip, complaintsOf, launchChromium, signedIn } from './chromium.ts';
import { FakeAdminApi } from './fake-admin-api.ts';

const SCREENSHOTS = fileURLToPath(new URL('../../build/screenshots/', import.meta.url));
const WIDTHS = [1280, 768, 375];
const STATE_WIDTHS = [1280, 375];
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

interface PageCase {
  readonly name: string;
  readonly path: string;
  readonly title: string;
  /** Text that stands there once the page has what it asked for. */
  readonly shows: string;
  readonly prepare?: (page: Page) => Promise<unknown>;
}

const app = (name: string, subpath: string, title: string, shows: string, prepare?: PageCase['prepare']): PageCase => ({
  name,
  path: `/apps/guestbook${subpath}`,
  title: `${title} · guestbook · App Engine`,
  shows,
  ...(prepare === undefined ? {} : { prepare }),
});

const PAGES: readonly PageCase[] = [
  { name: 'sign-in', path: '/sign-in', title: 'Sign in · App Engine', shows: 'npx appengine console' },
  { name: 'apps', path: '/', title: 'Apps · App Engine', shows: 'photo-archive' },
  { name: 'accounts', path: '/accounts', title: 'Accounts · App Engine', shows: 'grace@example.com' },
  { name: 'tablets', path: '/tablets', title: 'Tablets · App Engine', shows: 'Greeting.author' },
  { name: 'not-found', path: '/nowhere', title: 'No such page · App Engine', shows: 'There is nothing at this address' },
  app('dashboard', '', 'Dashboard', 'Bandwidth'),
  app('versions', '/versions', 'Versions', 'worker'),
  app('instances', '/instances', 'Instances', 'i-5f2c90'),
  app('logs', '/logs', 'Logs', '/guestbook?page=1199'),
  app('datastore', '/datastore?gql=SELECT%20*%20FROM%20Greeting%20LIMIT%205', 'Datastore', 'Greeting:5000000000000003', (page) =>
    page.locator('.cm-content').waitFor(),
  ),
  app('queues', '/queues', 'Task queues', 'task-0011'),
  app('cron', '/cron', 'Cron', '/tasks/tidy'),
  app('memcache', '/memcache', 'Memcache', '91,230'),
  app('mail', '/mail', 'Mail', 'Hello Ada'),
  app('quotas', '/quotas', 'Quotas', 'URL fetch calls'),
  app('billing', '/billing', 'Billing', 'Invoice of'),
];

const button = (name: string) => (page: Page) => page.getByRole('button', { name }).first().click();
const EVERYTHING = '/datastore?gql=SELECT%20*%20FROM%20Everything';

/** What opens on a page. */
const STATES: readonly PageCase[] = [
  app('versions-split', '/versions', 'Versions', 'worker', async (page) => {
    await button('Split the traffic of default')(page);
    await page.getByLabel('Percent of v3').fill('30');
  }),
  app('logs-row', '/logs', 'Logs', '/guestbook?page=1199', async (page) => {
    await page.getByText('/guestbook?page=1199').click();
    await page.getByText('req-001199').waitFor();
  }),
  app('datastore-entity', EVERYTHING, 'Datastore', 'Everything:"all types"', async (page) => {
    await button('Edit Everything')(page);
    await page.getByLabel('Value of bigInteger').fill('x');
  }),
  app('datastore-error', '/datastore?gql=SELEKT%20*', 'Datastore', 'GQL_SYNTAX'),
  app('datastore-explain', '/datastore?gql=SELECT%20COUNT(*)%20FROM%20Greeting', 'Datastore', '64', async (page) => {
    await page.getByText('Explain').click();
    await page.getByText('index rows').waitFor();
  }),
  app('datastore-indexes', '/datastore', 'Datastore', 'Results', async (page) => {
    await page.getByRole('tab', { name: 'Indexes' }).click();
    await page.getByText('building').waitFor();
  }),
  app('queues-purge', '/queues', 'Task queues', 'task-0011', button('Purge')),
  app('billing-budget', '/billing', 'Billing', 'Invoice of', button('Change budget')),
  app('dashboard-table', '', 'Dashboard', 'Bandwidth', button('Requests: show as a table')),
];

const skip = chromiumSkip();

describe.skipIf(skip !== undefined)('every page of the console', () => {
  const api = new FakeAdminApi();
  let address: string;
  let browser: Browser;
  let contexts: Record<'light' | 'dark', BrowserContext>;

  beforeAll(async () => {
    mkdirSync(SCREENSHOTS, { recursive: true });
    address = await api.start();
    browser = await launchChromium();
    contexts = {
      light: await signedIn(browser, api, address, { scheme: 'light' }),
      dark: await signedIn(browser, api, address, { scheme: 'dark' }),
    };
  });
  afterAll(async () => {
    await browser.close();
    await api.close();
  });

  async function look(
    { name, path, title, shows, prepare }: PageCase,
    scheme: 'light' | 'dark',
    widths: readonly number[],
    axeWidths: readonly number[],
  ): Promise<void> {
    const page = await contexts[scheme].newPage();
    const complaints = complaintsOf(page);
    await page.goto(path);
    await page.getByText(shows).first().waitFor();
    await prepare?.(page);
    expect(await page.title()).toBe(title);
    for (const width of widths) {
      await page.setViewportSize({ width, height: 900 });
      await page.screenshot({ path: join(SCREENSHOTS, `${name}-${width}${scheme === 'dark' ? '-dark' : ''}.png`), fullPage: true });
      const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
      expect(overflow, `${name} is wider than ${width} px`).toBeLessThanOrEqual(0);
      if (axeWidths.includes(width)) expect(await axeFindings(page), `${name} at ${width} px, ${scheme}`).toEqual([]);
    }
    // The browser itself notes the refused statement.
    expect(complaints.filter((text) => !(name === 'datastore-error' && text.includes('status of 400')))).toEqual([]);
    await page.close();
  }

  // Both schemes at the same time: the browser's processes then share the cores.
  test.each(PAGES)('$name', async (each) => {
    await Promise.all([look(each, 'light', WIDTHS, [1280, 375]), look(each, 'dark', WIDTHS, [1280])]);
  });

  test.each(STATES)('$name', async (each) => {
    await Promise.all([look(each, 'light', STATE_WIDTHS, [375]), look(each, 'dark', STATE_WIDTHS, [1280])]);
  });
});

async function axeFindings(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
  return violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.map(({ html, any, all }) => `${html.slice(0, 160)} ${(any[0] ?? all[0])?.message ?? ''}`).join(' | ')}`,
  );
}
