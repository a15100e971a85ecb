// What people do on the pages, by mouse and by keyboard alone, and what the page then asks of the admin API.
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../sdk/support/clock.ts';
import { chromiumSkip, complaintsOf, launchChromium, signedIn } from './chromium.ts';
import { fakeApp } from './fake-admin-data.ts';
import { FakeAdminApi, SIGN_IN_CODE } from './fake-admin-api.ts';

const skip = chromiumSkip();
const APP = '/apps/guestbook';

describe.skipIf(skip !== undefined)('the console', () => {
  let api: FakeAdminApi;
  let address: string;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    api = new FakeAdminApi();
    address = await api.start();
    context = await signedIn(browser, api, address);
    page = await context.newPage();
    page.setDefaultTimeout(30_000);
    complaints = complaintsOf(page);
  });
  afterEach(async () => {
    await context.close();
    await api.close();
  });

  const toast = (text: string | RegExp) => page.locator('.mantine-Notification-root').filter({ hasText: text }).first().waitFor();
  // Not waitForFunction: it evaluates text within the page, which the page's policy forbids.
  const holds = (condition: string) => expect.poll(() => page.evaluate<boolean>(condition), { timeout: 30_000 }).toBe(true);
  const dialog = () => page.getByRole('dialog');
  const gql = async (statement: string): Promise<void> => {
    const box = page.locator('.cm-content');
    await box.click();
    await page.keyboard.press('Control+a');
    await page.keyboard.insertText(statement);
    await page.keyboard.press('Control+Enter');
  };

  describe('by keyboard alone', () => {
    const focused = () => page.evaluate<string>('document.activeElement.getAttribute("aria-label") || document.activeElement.textContent');
    async function tabTo(name: string): Promise<void> {
      const seen: string[] = [];
      for (let steps = 0; steps < 60; steps += 1) {
        await page.keyboard.press('Tab');
        const at = await focused();
        if (at === name) return;
        seen.push(at.slice(0, 40));
      }
      throw new Error(`Tab never reached "${name}", only: ${seen.join(' | ')}`);
    }

    test('from the sign-in link to a split of traffic', async () => {
      await context.clearCookies();
      await page.goto('/sign-in');
      await page.getByLabel('Or paste the link here').focus();
      await page.keyboard.type(`${address}/sign-in#code=${SIGN_IN_CODE}`);
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Apps' }).waitFor();
      await page.getByRole('link', { name: 'guestbook', exact: true }).waitFor();
      await page.evaluate('document.activeElement.blur()');
      await page.keyboard.press('Tab');
      expect(await focused()).toBe('Skip to the content');
      await tabTo('guestbook');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Dashboard' }).waitFor();
      // Focus moves to the main part of the new page; the skip link and the navigation lie before it.
      await page.locator('main:focus').waitFor();
      await page.evaluate('document.activeElement.blur()');
      await tabTo('Versions');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Versions', level: 1 }).waitFor();
      await page.getByRole('button', { name: 'Split the traffic of default' }).waitFor();
      await page.locator('main:focus').waitFor();
      await tabTo('Split the traffic of default');
      await page.keyboard.press('Enter');
      await dialog().locator(':focus').waitFor();
      await tabTo('Percent of v2');
      await page.keyboard.press('Control+a');
      await page.keyboard.type('20');
      await tabTo('Give the rest to v1');
      await page.keyboard.press('Enter');
      await tabTo('Save the split');
      await page.keyboard.press('Enter');
      await toast('Traffic of default is split');
      expect(api.changes).toEqual([
        {
          verb: 'PUT',
          path: `${APP}/services/default/traffic`,
          body: { split: { v1: 0.05, v2: 0.2, v3: 0.75 }, shardBy: 'cookie' },
        },
      ]);
      expect(complaints).toEqual([]);
    });

    test('closed navigation of a narrow window takes no focus, and opens by its button', async () => {
      await page.setViewportSize({ width: 375, height: 800 });
      await page.goto(APP);
      await page.getByRole('heading', { name: 'Dashboard' }).waitFor();
      expect(await page.getByRole('link', { name: 'Versions', exact: true }).count()).toBe(0);
      await page.getByRole('button', { name: 'Open the navigation' }).click();
      await page.getByRole('link', { name: 'Task queues' }).click();
      await page.getByRole('heading', { name: 'Task queues', level: 1 }).waitFor();
      expect(await page.getByRole('link', { name: 'Task queues' }).count()).toBe(0);
    });

    test('log rows are chosen by arrow keys and opened by Enter', async () => {
      await page.goto(`${APP}/logs`);
      const list = page.getByRole('listbox');
      // The rows come in parts: End is the last of those that are there.
      await list.locator('[aria-setsize="500"]').first().waitFor();
      await list.focus();
      await page.keyboard.press('End');
      await page.keyboard.press('Enter');
      await dialog().getByText('req-001199').waitFor();
    });
  });

  describe('versions', () => {
    test('shares that do not add up cannot be saved', async () => {
      await page.goto(`${APP}/versions`);
      await page.getByRole('button', { name: 'Split the traffic of default' }).click();
      await page.getByLabel('Percent of v3').fill('30');
      await page.getByText('Adds up to 55 %, want 100 %').waitFor();
      expect(await page.getByRole('button', { name: 'Save the split' }).isDisabled()).toBe(true);
      await page.getByRole('button', { name: 'Split evenly' }).click();
      await page.getByText('Random', { exact: true }).click();
      await page.getByRole('button', { name: 'Save the split' }).click();
      await toast('Traffic of default is split');
      expect(api.changes.at(-1)?.body).toEqual({ split: { v1: 0.333, v2: 0.333, v3: 0.334 }, shardBy: 'random' });
    });

    test('rolling back asks, then sends all traffic to the version before', async () => {
      await page.goto(`${APP}/versions`);
      await page.getByRole('button', { name: 'Roll default back to v2' }).click();
      expect(api.changes).toEqual([]);
      await dialog().getByRole('button', { name: 'Move all traffic' }).click();
      await toast('All traffic of default goes to v2');
      expect(api.changes).toEqual([{ verb: 'PUT', path: `${APP}/services/default/traffic`, body: { split: { v2: 1 } } }]);
      await page.getByRole('row', { name: /v2 100 %/ }).waitFor();
    });

    test('a version is deleted after asking, one with traffic not at all', async () => {
      await page.goto(`${APP}/versions`);
      await page.getByRole('button', { name: 'Actions on version v3 of default' }).click();
      expect(await page.getByRole('menuitem', { name: 'Delete' }).isDisabled()).toBe(true);
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Actions on version v1 of default' }).click();
      await page.getByRole('menuitem', { name: 'Delete' }).click();
      await dialog().getByRole('button', { name: 'Cancel' }).click();
      expect(api.changes).toEqual([]);
      await page.getByRole('button', { name: 'Actions on version v1 of default' }).click();
      await page.getByRole('menuitem', { name: 'Delete' }).click();
      await dialog().getByRole('button', { name: 'Delete version' }).click();
      await toast('Version v1 is deleted');
      expect(api.changes).toEqual([{ verb: 'DELETE', path: `${APP}/services/default/versions/v1`, body: undefined }]);
    });
  });

  test('an instance is stopped after asking', async () => {
    await page.goto(`${APP}/instances`);
    await page.getByRole('button', { name: 'Actions on instance i-5f2c90' }).click();
    await page.getByRole('menuitem', { name: 'Stop' }).click();
    await dialog().getByRole('button', { name: 'Stop instance' }).click();
    await toast('i-5f2c90 drains');
    expect(api.changes).toEqual([{ verb: 'DELETE', path: `${APP}/instances/i-5f2c90`, body: undefined }]);
  });

  test('each chart has its figures as a table', async () => {
    await page.goto(APP);
    await page.getByRole('button', { name: 'Latency: show as a table' }).click();
    const table = page.getByRole('table', { name: 'Latency, newest first' });
    await table.waitFor();
    expect(await table.getByRole('columnheader').allInnerTexts()).toEqual(['Time', 'p50', 'p99']);
    await page.getByText('24 h', { exact: true }).click();
    await holds('document.querySelectorAll("table[aria-label=\'Latency, newest first\'] tbody tr").length === 144');
  });

  describe('logs', () => {
    test('rows appear as they are written; while paused they wait', async () => {
      await page.goto(`${APP}/logs`);
      await page.getByText('/guestbook?page=1199').waitFor();
      api.log('the first new line');
      await page.getByText('the first new line').waitFor();
      await page.getByRole('button', { name: 'Pause' }).click();
      api.log('a line while paused');
      await page.getByRole('button', { name: 'Go on (1 new)' }).waitFor();
      expect(await page.getByText('a line while paused').count()).toBe(0);
      await page.getByRole('button', { name: 'Go on' }).click();
      await page.getByText('a line while paused').waitFor();
    });

    test('thousands of rows are held within a bound, and few of them are in the page', async () => {
      await page.goto(`${APP}/logs`);
      await page.getByText('/guestbook?page=1199').waitFor();
      api.logRequests(6_000);
      await page.getByText(/^5,000 rows/).waitFor();
      expect(await page.getByRole('option').count()).toBeLessThan(80);
    });

    test('filters reach the server, levels and statuses among them', async () => {
      await page.goto(`${APP}/logs`);
      await page.getByText('/guestbook?page=1199').waitFor();
      await page.getByLabel('Service').selectOption('worker');
      await page.getByLabel('Text').fill('page=11');
      await page.getByText(/^\d+ rows/).waitFor();
      await holds(
        '((all) => all.length > 0 && all.every((text) => text === "worker/w1"))([...document.querySelectorAll(".log-place")].map((cell) => cell.textContent))',
      );
      await page.getByLabel('Text').fill('');
      await page.getByLabel('Service').selectOption('');
      await page.getByLabel('Level').selectOption('ERROR');
      await holds(
        '((all) => all.length > 0 && all.every((text) => text === "500" || text === "err"))([...document.querySelectorAll(".log-state")].map((cell) => cell.textContent))',
      );
      await page.getByLabel('Status').fill('404');
      await page.getByLabel('Level').selectOption('WARNING');
      await holds(
        '((all) => all.length > 0 && all.every((text) => text === "404"))([...document.querySelectorAll(".log-state")].map((cell) => cell.textContent))',
      );
    });
  });

  describe('datastore', () => {
    const EVERYTHING = 'SELECT * FROM Everything';

    test('a mistake in GQL is shown with a caret under its place, in monospaced type', async () => {
      await page.goto(`${APP}/datastore`);
      await gql('SELEKT * FROM Greeting');
      const alert = page.getByRole('alert');
      await alert.waitFor();
      const excerpt = alert.locator('pre');
      expect(await excerpt.innerText()).toBe('  SELEKT * FROM Greeting\n  ^');
      expect(await page.evaluate('getComputedStyle(document.querySelector("[role=alert] pre")).fontFamily')).toContain('monospace');
    });

    test('results are paged by cursor, and the plan is explained', async () => {
      await page.goto(`${APP}/datastore`);
      await page.getByRole('button', { name: 'Greeting', exact: true }).click();
      await page.getByText('50 on page 1').waitFor();
      await page.getByRole('button', { name: 'Next page' }).click();
      await page.getByText('14 on page 2').waitFor();
      await page.getByRole('button', { name: 'Previous page' }).click();
      await page.getByText('50 on page 1').waitFor();
      await page.getByText('Explain').click();
      await page.getByText('scan index Greeting, ascending').waitFor();
    });

    test('an entity of every type goes through the editor unchanged', async () => {
      const before = structuredClone(api.state.apps.get('guestbook')?.entities.find(({ key }) => key.path[0]?.kind === 'Everything'));
      await page.goto(`${APP}/datastore`);
      await gql(EVERYTHING);
      await page.getByRole('button', { name: 'Edit Everything:"all types"' }).click();
      await page.getByRole('button', { name: 'Save' }).click();
      await toast('is saved');
      expect(api.changes.at(-1)?.body).toEqual({ key: before?.key, properties: before?.properties, mode: 'update' });
    });

    test('what is no value of its type cannot be saved; a large integer keeps every digit', async () => {
      await page.goto(`${APP}/datastore`);
      await gql(EVERYTHING);
      await page.getByRole('button', { name: 'Edit Everything:"all types"' }).click();
      const integer = page.getByLabel('Value of bigInteger');
      await integer.fill('9223372036854775808');
      await page.getByText('Want a number of 64 bits').waitFor();
      expect(await page.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
      await integer.fill('-9223372036854775807');
      await page.getByLabel('bigInteger is indexed').uncheck();
      await page.getByRole('button', { name: 'Save' }).click();
      await toast('is saved');
      const { properties } = api.changes.at(-1)?.body as { properties: Record<string, unknown> };
      expect(properties['bigInteger']).toEqual({ integerValue: '-9223372036854775807', excludeFromIndexes: true });
    });

    test('a new entity gets its key, its properties and an id', async () => {
      await page.goto(`${APP}/datastore?namespace=staging`);
      await page.getByRole('button', { name: 'New entity' }).click();
      await page.getByLabel('Kind', { exact: false }).last().fill('Book');
      await page.getByLabel('Parent key').fill('Shelf:"a / b"');
      await page.getByRole('button', { name: 'Add a property' }).click();
      await page.getByLabel('Name of the new property').fill('year');
      await page.getByLabel('Type of year').selectOption('integer');
      await page.getByLabel('Value of year').fill('1984');
      await page.getByRole('button', { name: 'Create entity' }).click();
      await toast('is saved');
      expect(api.changes.at(-1)).toEqual({
        verb: 'PUT',
        path: `${APP}/datastore/entities`,
        body: {
          key: { partitionId: { namespaceId: 'staging' }, path: [{ kind: 'Shelf', name: 'a / b' }, { kind: 'Book' }] },
          properties: { year: { integerValue: '1984' } },
          mode: 'insert',
        },
      });
    });

    test('an entity is deleted after asking', async () => {
      await page.goto(`${APP}/datastore`);
      await gql(EVERYTHING);
      await page.getByRole('button', { name: 'Edit Everything:"all types"' }).click();
      await page.getByRole('button', { name: 'Delete', exact: true }).click();
      await page.getByRole('button', { name: 'Delete entity' }).click();
      await toast('is deleted');
      expect(api.changes.at(-1)?.verb).toBe('DELETE');
    });
  });

  describe('queues and cron', () => {
    test('purging asks, and says how many tasks went', async () => {
      await page.goto(`${APP}/queues?queue=thumbnails`);
      await page.getByRole('button', { name: 'Purge' }).click();
      await page.getByText('All 3 tasks are removed').waitFor();
      expect(api.changes).toEqual([]);
      await dialog().getByRole('button', { name: 'Purge queue' }).click();
      await toast('3 tasks of thumbnails removed');
      expect(api.changes).toEqual([{ verb: 'POST', path: `${APP}/queues/thumbnails/purge`, body: undefined }]);
      await page.getByText('This queue is empty').waitFor();
    });

    test('a queue is paused and resumed, a task run', async () => {
      await page.goto(`${APP}/queues`);
      await page.getByRole('button', { name: 'Pause' }).click();
      await toast('default is paused');
      await page.getByRole('button', { name: 'Resume' }).click();
      await toast('default runs again');
      await page.getByRole('button', { name: 'Actions on task task-0003' }).click();
      await page.getByRole('menuitem', { name: 'Run now' }).click();
      await toast('task-0003 runs');
      expect(api.changes.map(({ path }) => path.slice(APP.length))).toEqual([
        '/queues/default/pause',
        '/queues/default/resume',
        '/queues/default/tasks/task-0003/run',
      ]);
    });

    test('a cron job is run now', async () => {
      await page.goto(`${APP}/cron`);
      await page.getByRole('button', { name: 'Run /tasks/tidy now' }).click();
      await toast('/tasks/tidy was called');
      expect(api.changes).toEqual([{ verb: 'POST', path: `${APP}/cron/c-tidy/run`, body: undefined }]);
    });
  });

  test('a cache key is looked up, set, deleted, and all of them flushed', async () => {
    await page.goto(`${APP}/memcache`);
    await page.getByRole('textbox', { name: 'Key' }).first().fill('nothing');
    await page.getByRole('button', { name: 'Look up' }).click();
    await page.getByText('Nothing under this key').waitFor();
    await page.getByLabel('Key to set').fill('answer');
    await page.getByLabel('Value', { exact: true }).fill('42');
    await page.getByRole('button', { name: 'Set', exact: true }).click();
    await page.getByText('Text, 2 B, does not expire').waitFor();
    await page.getByRole('button', { name: 'Delete' }).click();
    await dialog().getByRole('button', { name: 'Delete key' }).click();
    await toast('answer is deleted');
    await page.getByRole('button', { name: 'Flush cache' }).click();
    await dialog().getByRole('button', { name: 'Flush cache' }).click();
    await toast('The cache is empty');
    expect(api.changes.map(({ verb, path }) => `${verb} ${path.slice(APP.length)}`)).toEqual([
      'PUT /memcache/entry',
      'DELETE /memcache/entry',
      'POST /memcache/flush',
    ]);
  });

  test('mail as HTML runs nothing, loads nothing, and keeps its look', async () => {
    const foreign: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(address) && !request.url().startsWith('data:') && request.url() !== 'about:srcdoc')
        foreign.push(request.url());
    });
    await page.goto(`${APP}/mail`);
    await page.getByRole('tab', { name: 'HTML' }).click();
    await page.frameLocator('iframe').getByText('someone signed your guestbook').waitFor();
    const style = 'getComputedStyle(document.querySelector("p"))';
    expect(await page.frames().at(-1)?.evaluate(`${style}.color + " " + ${style}.fontSize`)).toBe('rgb(51, 51, 51) 15px');
    await page.getByText('1 remote part is not loaded').waitFor();
    expect(await page.locator('iframe').getAttribute('sandbox')).toBe('');
    await page.screenshot({ path: fileURLToPath(new URL('../../build/screenshots/mail-html-1280.png', import.meta.url)) });
    expect(await page.title()).toBe('Mail · guestbook · App Engine');
    expect(foreign).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test('a budget is set in exact money; an amount that is none is refused', async () => {
    await page.goto(`${APP}/billing`);
    await page.getByRole('button', { name: 'Change budget' }).click();
    await page.getByLabel('Daily budget in US dollars').fill('2.5000001');
    expect(await page.getByRole('button', { name: 'Set budget' }).isDisabled()).toBe(true);
    await page.getByLabel('Daily budget in US dollars').fill('2.50');
    await page.getByRole('button', { name: 'Set budget' }).click();
    await toast('The app may cost $2.50 a day');
    expect(api.changes).toEqual([{ verb: 'PUT', path: `${APP}/billing`, body: { isEnabled: true, dailyBudgetMicros: 2_500_000 } }]);
    await page.getByText('6 usage rows').click();
    await page.getByRole('table', { name: /Usage rows of/ }).waitFor();
  });

  test('an account is added, and a failure is shown where it happened', async () => {
    await page.goto('/accounts');
    await page.getByRole('button', { name: 'Add account' }).click();
    await dialog().getByLabel('Email').fill('barbara@example.com');
    await dialog().getByLabel('Password', { exact: false }).first().fill('correct horse battery');
    await dialog().getByRole('button', { name: 'Save' }).click();
    await toast('barbara@example.com is saved');
    expect(api.changes).toEqual([
      { verb: 'POST', path: '/accounts', body: { email: 'barbara@example.com', password: 'correct horse battery', adminOf: [] } },
    ]);
  });

  test('a session that ended leads to the sign-in page', async () => {
    await page.goto(`${APP}/queues`);
    await page.getByText('task-0000').waitFor();
    await context.clearCookies();
    await page.getByText('npx appengine console').waitFor();
    expect(page.url()).toContain(encodeURIComponent(`${APP}/queues`));
  });

  test('an app with nothing says on each page what to do next', async () => {
    const nothing = { versions: [], instances: [], logs: [], entities: [], indexes: [], queues: [], cron: [], mail: [] };
    api.state.apps.set('empty', { ...fakeApp('empty', systemClock.nowMs()), ...nothing });
    for (const [subpath, text] of [
      ['', 'No version serves'],
      ['/versions', 'npx appengine deploy . --app empty'],
      ['/instances', 'No instance runs'],
      ['/logs', 'npx appengine logs tail --app empty'],
      ['/datastore', 'Nothing stored yet'],
      ['/queues', 'No queue yet'],
      ['/cron', 'every 10 minutes'],
      ['/mail', 'No mail yet'],
    ] as const) {
      await page.goto(`/apps/empty${subpath}`);
      await page.getByText(text).first().waitFor();
    }
    api.state.apps.clear();
    await page.goto('/');
    await page.getByText('npx appengine deploy sample-apps/guestbook --app guestbook').waitFor();
    expect(complaints).toEqual([]);
  });

  test('an app that is not there says so and how to go on', async () => {
    await page.goto('/apps/nobody/versions');
    const alert = page.getByRole('alert').first();
    await alert.waitFor();
    expect(await alert.innerText()).toContain('There is no such app');
    expect(await alert.innerText()).toContain('appengine apps list');
  });
});
