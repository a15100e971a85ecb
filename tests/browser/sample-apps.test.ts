// The sample apps as people see them: on a phone and on a desk, light and dark, by keyboard and for screen readers.
import { AxeBuilder } from '@axe-core/playwright';
import { join } from 'node:path';
import { type Browser, type Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PlatformProcess, root } from '../integration/platform-process.ts';
import { chromiumSkip, complaintsOf, launchChromium } from './chromium.ts';

const skip = chromiumSkip();

const SCREENS = [
  ['light', 375],
  ['dark', 1280],
] as const;

describe.skipIf(skip !== undefined)('the sample apps in a browser', () => {
  let platform: PlatformProcess;
  let browser: Browser;

  beforeAll(async () => {
    platform = await PlatformProcess.start();
    for (const name of ['guestbook', 'chat', 'photo-album']) {
      await platform.appengineJson('deploy', join(root, 'sample-apps', name), '--app', name);
    }
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser.close();
    await platform.remove();
  });

  const open = async (app: string, scheme: 'light' | 'dark', width: number): Promise<{ page: Page; complaints: string[] }> => {
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: 720 } });
    const page = await context.newPage();
    const complaints = complaintsOf(page);
    await page.goto(`http://${app}.localhost:${platform.routerPort}/`);
    return { page, complaints };
  };

  const expectGood = async (page: Page): Promise<void> => {
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)])).toEqual([]);
  };

  test.each(SCREENS)('chat, %s, %s pixels wide: two people talk, by keyboard alone', async (scheme, width) => {
    const ada = await open('chat', scheme, width);
    const bob = await open('chat', scheme, width);
    for (const { page } of [ada, bob]) await page.getByText('Connected').waitFor();
    const text = `${'A word to everybody, '.repeat(10)}${'andonethatdoesnotfit'.repeat(6)} ${scheme}`;
    await ada.page.getByLabel('Name').focus();
    await ada.page.keyboard.type('Ada');
    await ada.page.keyboard.press('Tab');
    await ada.page.keyboard.type(text);
    await ada.page.keyboard.press('Enter');
    await bob.page.getByRole('log').getByText(text).waitFor();
    await ada.page.getByRole('log').getByText(text).waitFor();
    expect(await ada.page.getByLabel('Message', { exact: true }).inputValue()).toBe('');
    await expectGood(ada.page);
    expect([...ada.complaints, ...bob.complaints]).toEqual([]);
    for (const { page } of [ada, bob]) await page.context().close();
  });

  test.each(SCREENS)('photo album, %s, %s pixels wide: a picture is added by its form and looked at', async (scheme, width) => {
    const { page, complaints } = await open('photo-album', scheme, width);
    await expectGood(page);
    const buffer = await sharp({ create: { width: 900, height: 600, channels: 3, background: '#1a56c4' } })
      .png()
      .toBuffer();
    await page.getByLabel('Photo').setInputFiles({ name: 'sea.png', mimeType: 'image/png', buffer });
    await page.getByLabel('Title').fill(`The sea ${'at noon '.repeat(8)}`);
    await page.getByRole('button', { name: 'Add' }).click();
    const picture = page.getByRole('img', { name: /^The sea/ });
    await picture.waitFor();
    await expect.poll(() => page.evaluate("document.querySelector('img.full').naturalWidth")).toBe(900);
    await expectGood(page);
    await page.getByRole('link', { name: 'All photos' }).click();
    await page
      .getByRole('link', { name: /^The sea/ })
      .first()
      .waitFor();
    await expectGood(page);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test.each(SCREENS)('guestbook, %s, %s pixels wide', async (scheme, width) => {
    const { page, complaints } = await open('guestbook', scheme, width);
    await page.getByLabel('Greeting').fill('Hello from a browser');
    await page.getByRole('button', { name: 'Sign' }).click();
    await page.getByText('Hello from a browser').first().waitFor();
    await expectGood(page);
    // A favicon is asked for by browsers alone, and the guestbook has none.
    expect(complaints.filter((complaint) => !complaint.includes('404'))).toEqual([]);
    await page.context().close();
  });
});
