// The console as it is served: a real platform, its printed link, its own policy, and what it says of a deployed app.
import { join } from 'node:path';
import { type Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PlatformProcess, root } from '../integration/platform-process.ts';
import { chromiumSkip, complaintsOf, launchChromium } from './chromium.ts';

const skip = chromiumSkip();

describe.skipIf(skip !== undefined)('the console of a real platform', () => {
  let platform: PlatformProcess;
  let browser: Browser;

  beforeAll(async () => {
    platform = await PlatformProcess.start();
    browser = await launchChromium();
  }, 120_000);

  afterAll(async () => {
    await browser.close();
    await platform.remove();
  });

  test('opens by the link that serve prints, keeps to its policy, and shows a deployed app', async () => {
    const link = /^Console +(\S+)$/m.exec(platform.output)?.[1] ?? '';
    const context = await browser.newContext();
    const page = await context.newPage();
    const complaints = complaintsOf(page);
    await page.goto(link);
    await page.getByRole('heading', { name: 'Apps' }).waitFor();
    expect(page.url()).toBe(`${platform.consoleUrl}/`);
    const [cookie] = await context.cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict', secure: false });

    await platform.appengineJson('deploy', join(root, 'sample-apps', 'guestbook'), '--app', 'guestbook');
    await page.reload();
    await page.getByText('guestbook').first().waitFor();
    const second = await browser.newContext();
    const stranger = await second.newPage();
    await stranger.goto(link);
    await stranger.getByText('npx appengine console').first().waitFor();
    expect(complaints).toEqual([]);
    await second.close();
    await context.close();
  });
});
